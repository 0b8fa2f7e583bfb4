"""What lies in a folder of photographs: pictures by name, and everything else."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from clipsim.data.captioned import DataError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
DEPTH = 3


@dataclass(frozen=True)
class Listing:
    """Files of a folder by name, `DEPTH` levels deep; hidden ones are left out."""

    root: Path
    pictures: dict[str, list[Path]]
    others: list[Path]

    @classmethod
    def of(cls, root):
        pictures, others = {}, []
        for folder, folders, files in os.walk(root, followlinks=True):
            depth = len(Path(folder).relative_to(root).parts)
            hidden = (".", "__MACOSX")
            folders[:] = sorted(f for f in folders if not f.startswith(hidden))
            if depth == DEPTH:
                folders.clear()
            for name in sorted(f for f in files if not f.startswith(".")):
                if os.path.splitext(name)[1].lower() in SUFFIXES:
                    pictures.setdefault(name, []).append(Path(folder, name))
                else:
                    others.append(Path(folder, name))
        return cls(Path(root), pictures, others)

    def matching(self, pattern):
        """Files whose whole name matches, upper or lower case; nearest the root first."""
        found = [p for p in self.others if re.fullmatch(pattern, p.name, re.IGNORECASE)]
        return sorted(found, key=lambda p: len(p.parts))

    def picture(self, name):
        """Path of a picture, or None; `name` may begin with its folder."""
        candidates = self.pictures.get(name.rpartition("/")[2], ())
        found = [p for p in candidates if f"/{p.as_posix()}".endswith(f"/{name}")]
        if len(found) > 1 and len({p.stat().st_size for p in found}) > 1:
            raise DataError(
                f"{name} is the name of different pictures: {found[0]} and {found[1]}; keep one"
            )
        return min(found, key=lambda p: len(p.parts), default=None)
