"""Clocks that a test holds in its hand."""


class Ticking:
    """One second passes between two looks at it: everything takes one second."""

    def __init__(self):
        self.now = 0

    def __call__(self):
        self.now += 1
        return self.now


class Worked:
    """Only work that names its duration moves it; remembers who worked when."""

    def __init__(self):
        self.now = 0.0
        self.done = []

    def __call__(self):
        return self.now

    def work(self, name, seconds):
        """A contestant that takes `seconds[number]` in the round of that number."""

        def run(number):
            self.done.append((number, name))
            self.now += seconds[number]

        return run
