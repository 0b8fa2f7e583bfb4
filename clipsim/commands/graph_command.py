"""The command `graph`: which pictures of a folder are alike, and the clusters that they form."""

from pathlib import Path

import clipsim.commands.picture_options as options
from clipsim.data import DataError
from clipsim.pictures import clusters, described, encoded_folder, picture_graph
from clipsim.retrieval import community_labels, component_labels, write_edges, write_graphml

WRITERS = {".graphml": write_graphml, ".csv": write_edges}
NAMED = 5  # pictures of a cluster


def add_arguments(parser):
    """Add the arguments of `graph` to an argument parser."""
    parser.add_argument("folder", metavar="FOLDER", help="read with all folders in it")
    options.add_store_argument(parser)
    options.add_threshold_argument(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write the graph: .graphml, or .csv with one edge per line",
    )
    options.add_model_arguments(parser)


def run(args):
    """Build the graph of a folder, show its clusters and write it; 0 when done."""
    if args.out is not None and args.out.suffix.lower() not in WRITERS:
        raise DataError(f"--out {args.out}: its name must end in {' or '.join(WRITERS)}")
    checkpoint, describer = options.chosen_describer(args)
    threshold = options.chosen_threshold(args, describer)
    if threshold.value is None:
        raise DataError(options.threshold_words(threshold))
    encoded = encoded_folder(describer.model, args.folder, args.store)
    retrieval = described(describer, encoded)
    graph = picture_graph(retrieval, describer.profile.normalisation, threshold.value)
    components = clusters(retrieval, component_labels(graph))
    communities = clusters(retrieval, community_labels(graph, describer.profile.seed))
    record = {
        "model": options.model_record(checkpoint, describer),
        "threshold": threshold.value,
        "threshold_from": threshold.origin,
        "n_pictures": len(encoded.names),
        "n_edges": graph.number_of_edges(),
        "components": components,
        "communities": communities,
        "broken": encoded.broken,
    }
    if args.out is not None:
        WRITERS[args.out.suffix.lower()](graph, args.out)
        record["out"] = str(args.out)
    options.say_broken(encoded.broken)
    if args.json:
        options.print_json(record)
        return 0
    _print_clusters(record)
    print(f"\n{options.threshold_words(threshold)}")
    print(options.model_words(checkpoint, describer))
    if args.out is not None:
        print(f"graph: {options.printable(args.out)}")
    return 0


def _print_clusters(record):
    groups = {
        kind: [group for group in record[kind] if len(group["names"]) > 1]
        for kind in ("components", "communities")
    }
    n_alone = record["n_pictures"] - sum(len(group["names"]) for group in groups["components"])
    print(
        f"{options.counted(record['n_pictures'], 'picture')}, "
        f"{options.counted(record['n_edges'], 'pair')} alike, "
        f"{options.counted(n_alone, 'picture')} alone; components of two or more: "
        f"{len(groups['components']):,}, communities: {len(groups['communities']):,}"
    )
    rows = []
    for group in groups["communities"]:
        names, more = group["names"][:NAMED], len(group["names"]) - NAMED
        listed = ", ".join(names) + (f" and {more:,} more" if more > 0 else "")
        rows.append((f"{len(group['names']):8,}", group["typical"], listed))
    if rows:
        print()
        options.print_table(rows, ("pictures", "typical description", "community"))
