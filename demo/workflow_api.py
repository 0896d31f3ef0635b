"""Turns a workflow as the editor saves it into the graph that ComfyUI's /prompt takes,
as the front end does when Run is pressed.

Only the standard library, so that dev.py can use it before anything is installed.
"""

WIDGET_TYPES = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COMFY_DYNAMICCOMBO_V3", "COLOR"}
EDITOR_ONLY = {"Note", "MarkdownNote", "Reroute", "PrimitiveNode"}
MUTED, BYPASSED = 2, 4
AFTER_GENERATE = {"fixed", "increment", "decrement", "randomize"}
UPLOADS = ("image_upload", "animated_image_upload", "video_upload", "audio_upload")
SUBGRAPH_INPUTS = -10  # the number of the node that a link from outside of a subgraph begins at
OWN_VALUE = (
    object()
)  # what "arrives" over a link from outside when nothing outside says anything: the widget's own value holds


def to_api(workflow, object_info):
    """Returns {node id: {"class_type", "inputs",
    "_meta"}} for a UI-format workflow (version 0.4 or 1.0) as parsed JSON.

    `object_info` is what the server answers at /object_info: it names the widgets that
    the saved values belong to. A node of a subgraph has the numbers of its subgraph's
    node and its own as its id, as in "5:12". Raises ValueError for a node type that
    the server does not know, and for more widget values than the node has widgets.
    """
    subgraphs = {entry["id"]: entry for entry in workflow.get("definitions", {}).get("subgraphs", [])}
    graph = {}
    _add_nodes(Scope(workflow, subgraphs), object_info, graph)
    return graph


def every_node(workflow):
    """Returns the nodes of a workflow and of the subgraphs defined in it,
    but for those that are such a subgraph.
    """
    subgraphs = workflow.get("definitions", {}).get("subgraphs", [])
    names = {entry["id"] for entry in subgraphs}
    return [
        node for content in (workflow, *subgraphs) for node in content["nodes"] if node["type"] not in names
    ]


class Scope:
    """The nodes and links of the workflow, or of one node that is a subgraph,
    with the scope that such a node stands in.
    """

    def __init__(self, content, subgraphs, host=None, outside=None):
        self.nodes = {node["id"]: node for node in content["nodes"]}
        self.links = _links(content)
        self.inputs, self.outputs = content.get("inputs", []), content.get("outputs", [])
        self.host, self.outside = host, outside
        self.prefix = f"{outside.prefix}{host['id']}:" if outside else ""
        is_open = {number: node for number, node in self.nodes.items() if node["type"] in subgraphs}
        self.inside = {
            number: Scope(subgraphs[node["type"]], subgraphs, node, self) for number, node in is_open.items()
        }

    def source(self, link):
        """Returns what arrives over a link:
        [node id, slot], a value, OWN_VALUE, or None when it comes from a muted node.
        """
        origin, slot = self.links[link]
        if origin == SUBGRAPH_INPUTS:
            return self._from_outside(self.inputs[slot]["name"])
        node = self.nodes[origin]
        if node["type"] == "PrimitiveNode":
            return node["widgets_values"][0]
        if node.get("mode", 0) == MUTED:
            return None
        if node["type"] != "Reroute" and node.get("mode", 0) != BYPASSED:
            inside = self.inside.get(origin)
            return (
                inside.source(inside.outputs[slot]["linkIds"][0])
                if inside
                else [f"{self.prefix}{origin}", slot]
            )
        wanted = node["outputs"][slot]["type"]
        sockets = [s for s in node.get("inputs", []) if node["type"] == "Reroute" or s["type"] == wanted]
        sockets = [s for s in sockets if s.get("link") is not None]
        return self.source(sockets[0]["link"]) if sockets else None

    def _from_outside(self, name):
        """Returns what the subgraph's node has at its input `name`:
        what is wired, or the value of the widget it shows.
        """
        socket = next((s for s in self.host.get("inputs", []) if s["name"] == name), {})
        if socket.get("link") is not None:
            return self.outside.source(socket["link"])
        widgets = {s["link"] for node in self.nodes.values() for s in node.get("inputs", []) if "widget" in s}
        shown = [entry["name"] for entry in self.inputs if widgets & set(entry["linkIds"])]
        if name not in shown:
            return None
        return dict(enumerate(self.host.get("widgets_values") or [])).get(shown.index(name), OWN_VALUE)


def _add_nodes(scope, object_info, graph):
    """Adds the nodes of a scope, and of the subgraphs in it, to the graph."""
    for number, node in scope.nodes.items():
        kind = node["type"]
        if kind in EDITOR_ONLY or node.get("mode", 0) in (MUTED, BYPASSED):
            continue
        if number in scope.inside:
            _add_nodes(scope.inside[number], object_info, graph)
            continue
        if kind not in object_info:
            raise ValueError(
                f"node {number} has the type {kind!r}, which this ComfyUI does not know; install the pack"
                " that has it."
            )
        inputs = _widget_inputs(node, object_info[kind])
        for socket in node.get("inputs", []):
            source = OWN_VALUE if socket.get("link") is None else scope.source(socket["link"])
            if source is None:
                inputs.pop(socket["name"], None)
            elif source is not OWN_VALUE:
                inputs[socket["name"]] = source
        graph[f"{scope.prefix}{number}"] = {
            "class_type": kind,
            "inputs": inputs,
            "_meta": {"title": node.get("title", kind)},
        }


def _links(content):
    """Returns {link id: (source node id, source slot)};
    a link is a list in version 0.4 and an object in version 1.0.
    """
    found = {}
    for link in content["links"]:
        if isinstance(link, dict):
            found[link["id"]] = (link["origin_id"], link["origin_slot"])
        else:
            found[link[0]] = (link[1], link[2])
    return found


def _widget_inputs(node, definition):
    """Returns {input name: value} of a node's widgets;
    where the file has no value, the default of the node's definition.
    """
    saved = node.get("widgets_values") or []
    if isinstance(saved, dict):
        return dict(saved)
    values = list(saved)
    inputs = {}
    for group in ("required", "optional"):
        specs = definition["input"].get(group) or {}
        order = definition.get("input_order", {}).get(group) or list(specs)
        _take(values, [(name, specs[name]) for name in order], inputs)
        if any(_options(spec).get(flag) for spec in specs.values() for flag in UPLOADS) and values:
            values.pop(0)  # the upload button saves a value too
    if values:
        raise ValueError(
            f"node {node['id']} ({node['type']}) has {len(values)} widget values too many: {values}; save the"
            " workflow again."
        )
    return inputs


def _options(spec):
    return spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}


def _take(values, specs, inputs, prefix=""):
    """Moves values from the front of `values` into `inputs`, in the order of the widgets of `specs`."""
    for name, spec in specs:
        options = _options(spec)
        kind = options.get("widgetType", spec[0])  # of an input of several types, one of which has a widget
        is_list = isinstance(kind, list)
        if not (is_list or kind in WIDGET_TYPES) or options.get("forceInput"):
            continue
        choices = kind if is_list else options.get("options") or [None]
        dynamic = kind == "COMFY_DYNAMICCOMBO_V3"
        default = options.get("default", choices[0]["key"] if dynamic else choices[0])
        if values:
            inputs[prefix + name] = values.pop(0)
        elif default is not None:
            inputs[prefix + name] = default
        if dynamic:
            chosen = next(
                (choice for choice in choices if choice["key"] == inputs[prefix + name]), {"inputs": {}}
            )
            below = [
                item
                for group in ("required", "optional")
                for item in (chosen["inputs"].get(group) or {}).items()
            ]
            _take(values, below, inputs, f"{prefix}{name}.")
        has_control = options.get("control_after_generate") or name in ("seed", "noise_seed")
        if has_control and values and values[0] in AFTER_GENERATE:
            values.pop(0)
