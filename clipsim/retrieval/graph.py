"""The similarity graph: images, joined where their score reaches a threshold, and its clusters.

Knows scores and names, no model. A graph is one threshold's; what every threshold would give is
`clipsim.studies.similarity_graph`.
"""

import re

import networkx as nx
import numpy as np
import pandas as pd

from clipsim.record import atomic_path

# What XML 1.0 cannot hold, and carriage returns, which every reader turns into line feeds.
NOT_IN_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def joined(blocks):
    """The edges of a stream as two arrays.

    Parameters
    ----------
    blocks : iterable of (array of int, shape (E, 2); array of float, shape (E,))
        Pairs and their scores, as `clipsim.retrieval.score.score_edges` yields them.

    Returns
    -------
    pairs : array of int64, shape (E, 2)
    scores : array of float32, shape (E,)
    """
    blocks = list(blocks)
    pairs = [np.empty((0, 2), dtype=np.int64), *(pairs for pairs, _ in blocks)]
    scores = [np.empty(0, dtype=np.float32), *(scores for _, scores in blocks)]
    return np.concatenate(pairs), np.concatenate(scores)


def similarity_graph(names, pairs, scores, **attributes):
    """The graph of some images and the pairs that are related.

    Parameters
    ----------
    names : sequence of str, length M
        Any text; need not differ.
    pairs : array of int, shape (E, 2)
        Positions of the two images of each edge.
    scores : array of float, shape (E,)
        Higher is more alike.
    **attributes : sequence, length M
        More about each image: text, numbers or truth values.

    Returns
    -------
    networkx.Graph
        Nodes 0 … M-1 with `name` and the other attributes, edges with `score`.

    Raises
    ------
    ValueError
        If an attribute has not one value per image.
    """
    graph, pairs = nx.Graph(), np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    table = pd.DataFrame({"name": list(names), **attributes}, dtype=object)
    graph.add_nodes_from(table.to_dict("index").items())
    edges = zip(*pairs.T.tolist(), np.asarray(scores).tolist(), strict=True)
    graph.add_weighted_edges_from(edges, weight="score")
    return graph


def component_labels(graph):
    """The connected component of each image: int64, shape (M,).

    The largest component is 0; of equal ones, that with the first image comes first.
    """
    return _labels(graph, nx.connected_components(graph))


def community_labels(graph, seed):
    """The community of each image by Louvain's method, edges weighing their score.

    V. D. Blondel et al.: *Fast unfolding of communities in large networks*, J. Stat. Mech. 2008.
    Edges of no positive score join nothing: modularity knows no negative weights.

    Parameters
    ----------
    graph : networkx.Graph
        Of `similarity_graph`.
    seed : int
        Of the order in which images are visited; the same seed, the same communities.

    Returns
    -------
    array of int64, shape (M,)
        Ordered as those of `component_labels`. No community spans two components.
    """
    positive = nx.Graph()
    positive.add_nodes_from(range(len(graph)))
    edges = (edge for edge in graph.edges(data="score") if edge[2] > 0)
    positive.add_weighted_edges_from(edges, weight="score")
    found = nx.community.louvain_communities(positive, weight="score", seed=seed)
    return _labels(graph, found)


def write_graphml(graph, path):
    r"""Write a similarity graph as GraphML, whole or not at all.

    Characters in names that XML cannot hold are written as Python writes them, `\x01`.

    Parameters
    ----------
    graph : networkx.Graph
    path : str or Path
    """
    written = graph.copy()
    for node, name in graph.nodes(data="name"):
        written.nodes[node]["name"] = NOT_IN_XML.sub(lambda found: ascii(found[0])[1:-1], name)
    with atomic_path(path) as temporary:
        nx.write_graphml(written, temporary)


def write_edges(graph, path):
    """Write the edges of a similarity graph as CSV, best first, whole or not at all.

    Columns: `a`, `b` (positions), `name_a`, `name_b`, `score` (all its digits). An image without
    an edge is not in it. UTF-8; what cannot be encoded, such as the raw bytes of some file names,
    is written as Python writes it.

    Parameters
    ----------
    graph : networkx.Graph
    path : str or Path
    """
    names = graph.nodes(data="name")
    edges = [(*sorted(pair), score) for *pair, score in graph.edges(data="score")]
    edges = pd.DataFrame(edges, columns=["a", "b", "score"])
    edges = edges.sort_values(["score", "a", "b"], ascending=[False, True, True])
    edges.insert(2, "name_a", [names[a] for a in edges.a])
    edges.insert(3, "name_b", [names[b] for b in edges.b])
    with atomic_path(path) as temporary:
        edges.to_csv(temporary, index=False, errors="backslashreplace")


def _labels(graph, groups):
    """Numbers of disjoint groups of the nodes 0 … M-1, the largest first."""
    labels = np.empty(len(graph), dtype=np.int64)
    for number, group in enumerate(sorted(groups, key=lambda group: (-len(group), min(group)))):
        labels[list(group)] = number
    return labels
