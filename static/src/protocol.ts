// Generated from app/protocol.py by `python -m app.protocol`; change it there.

/** An element of a tensor; NaN and the infinities are words, which JSON has no numbers for. */
export type Scalar = number | boolean | string | { re: number; im: number };

/** Why a request failed: where, what was expected, what came and what to do. */
export interface WireError {
  /** the kind of error, such as type, shape, conflict or not-found */
  kind: string;
  /** one sentence for the person */
  message: string;
  /** the canvas node it belongs to */
  node: string | null;
  /** the port of that node */
  port: string | null;
  /** what would have been right */
  expected: string | null;
  /** what came instead */
  got: string | null;
  /** what to do */
  hint: string | null;
  /** what only some want to read, such as what an op was given */
  details: string | null;
}

/** A copy of a gallery graph. */
export interface GallerySource {
  /** its name */
  gallery: string;
}

/** A graph kept by this server. */
export interface GraphSource {
  /** the graph */
  graph_id: string;
}

/** A document from a file. */
export interface DocumentSource {
  /** its JSON */
  document: unknown;
}

/** A new, empty graph. */
export interface EmptySource {
  /** always true */
  empty: boolean;
}

/** Open a graph: a copy from the gallery, a stored one, a document from a file, or an empty one. */
export interface GraphOpenRequest {
  /** where it comes from */
  source: GallerySource | GraphSource | DocumentSource | EmptySource;
}

/** The type of an out-port. */
export interface Type {
  /** the dtype's name */
  dtype: string;
  /** the length of each axis, null where unknown */
  shape: (number | null)[];
  /** how the type is shown */
  text: string;
  /** whether its dtype is wider than anybody asked for */
  upcast: boolean;
}

/** The elements of a tensor, nested. */
export type Data = Scalar | Data[];

/** A tensor, in full when it has at most 256 elements and as a summary otherwise. */
export interface Value {
  /** the dtype's name */
  dtype: string;
  /** the length of each axis */
  shape: number[];
  /** the nested elements, or null when there are too many */
  data: Data | null;
  /** the least element, null when empty or complex */
  min: Scalar | null;
  /** the greatest element, null when empty or complex */
  max: Scalar | null;
  /** the mean, null when empty or complex */
  mean: Scalar | null;
  /** whether no element is NaN or infinite */
  finite: boolean;
}

/** What is known about one node. */
export interface NodeReport {
  /** the type of each out-port */
  types: Record<string, Type>;
  /** the value of each out-port, or of the pseudo-port value */
  values: Record<string, Value>;
  /** why the node has no type or value */
  error: WireError | null;
  /** what is allowed but worth a look */
  warnings: string[];
}

/** What is known about one function. */
export interface FunctionReport {
  /** whether it can be called now */
  ready: boolean;
}

/** Types, values and errors of a whole graph as it stands. */
export interface Report {
  /** by node id */
  nodes: Record<string, NodeReport>;
  /** by function name */
  functions: Record<string, FunctionReport>;
  /** whether Train would start */
  trainable: boolean;
  /** why it would not */
  problem: string | null;
  /** how long the report took */
  milliseconds: number;
}

/** What graph_open answers, beside ok. */
export interface GraphOpenReply {
  /** the graph */
  graph_id: string;
  /** the revision of the document */
  revision: number;
  /** the graph document */
  document: unknown;
  /** its types and values */
  report: Report;
}

/** One change of a document: set the value at a path, or remove it when no value is given. */
export interface Patch {
  /** the keys from the document's root */
  path: string[];
  /** the new value */
  value?: unknown;
}

/** Change a document; the change is stored before it is acknowledged. An edit of a revision that is not the newest is refused as a conflict. */
export interface GraphEditRequest {
  /** the graph */
  graph_id: string;
  /** the revision that the patches were made on */
  base_revision: number;
  /** the changes, all or none */
  patches: Patch[];
}

/** What graph_edit answers, beside ok. */
export interface GraphEditReply {
  /** the new revision */
  revision: number;
  /** types and values after the change */
  report: Report;
}

/** The graphs that were saved or edited, the newest first. */
export type GraphListRequest = Record<string, never>;

/** A graph in the list of graphs. */
export interface GraphListItem {
  /** the graph */
  graph_id: string;
  /** its title */
  title: string;
  /** its name */
  name: string;
  /** its newest revision */
  revision: number;
  /** when it last changed, in seconds since 1970 */
  saved_at: number;
  /** how many nodes it has */
  nodes: number;
}

/** What graph_list answers, beside ok. */
export interface GraphListReply {
  /** the graphs */
  graphs: GraphListItem[];
}

/** Give a graph a title and keep it in the list. */
export interface GraphSaveRequest {
  /** the graph */
  graph_id: string;
  /** its title from now on */
  title: string;
}

/** What graph_save answers, beside ok. */
export interface GraphSaveReply {
  /** the new revision */
  revision: number;
  /** when, in seconds since 1970 */
  saved_at: number;
}

/** Delete a graph with its revisions and runs. */
export interface GraphDeleteRequest {
  /** the graph */
  graph_id: string;
}

/** What graph_delete answers, beside ok. */
export type GraphDeleteReply = Record<string, never>;

/** Call a function of the graph once: its outputs are computed, then its updates applied. */
export interface GraphCallRequest {
  /** the graph */
  graph_id: string;
  /** its name, null for the only or main one */
  function?: string | null;
}

/** What graph_call answers, beside ok. */
export interface GraphCallReply {
  /** the outputs by name */
  outputs: Record<string, Value>;
  /** types and values after the updates */
  report: Report;
}

/** Put the shared variables of a graph back to their initial values. */
export interface GraphResetRequest {
  /** the graph */
  graph_id: string;
}

/** What graph_reset answers, beside ok. */
export interface GraphResetReply {
  /** types and values after the reset */
  report: Report;
}

/** For a wire of which one end is given, say of every possible other end why it would not do, and which cards have a port for it. */
export interface WireCheckRequest {
  /** the graph */
  graph_id: string;
  /** the out-port that the wire starts at */
  from?: [string, string] | null;
  /** the in-port that the wire ends at */
  to?: [string, string] | null;
}

/** By node and port: null where a wire fits, or why not. */
export type Verdicts = Record<string, Record<string, string | null>>;

/** By card: the port of a new node that a wire would join, or null where it has none for it. */
export type Fits = Record<string, string | null>;

/** What wire_check answers, beside ok. */
export interface WireCheckReply {
  /** for every port that the other end could be at */
  verdicts: Verdicts;
  /** for every card that is offered */
  fits: Fits;
}

/** Rewrite a function of the graph as it is now, and keep every step to be played. The graph itself stays as it is. */
export interface FilmOpenRequest {
  /** the graph */
  graph_id: string;
  /** its name, null for the one that is trained, or the main one */
  function?: string | null;
  /** whether laws that may hide something are left out, null as trained */
  strict?: boolean | null;
  /** laws, tags or phases to leave out */
  exclude: string[];
  /** laws, tags or phases to use all the same */
  include: string[];
  /** the last phase, null for all */
  stop_after?: string | null;
}

/** What one law did in a film. */
export interface FilmLaw {
  /** its phase */
  phase: string;
  /** its name */
  rule: string;
  /** its reason */
  why: string;
  /** what it may hide, and other marks */
  tags: string[];
  /** how often it was applied, inside of loops too */
  steps: number;
  /** by how many nodes the graph grew */
  nodes: number;
  /** by how much its estimated cost grew */
  cost: number;
  /** how long that took */
  seconds: number;
}

/** A value that is not computed. */
export interface FilmLeaf {
  /** its leaf's id */
  leaf: number;
}

/** A value that a node computes. */
export interface FilmResult {
  /** the node's id */
  node: number;
  /** which of its results */
  result: number;
}

/** The type of a value in a film. */
export interface FilmType {
  /** the dtype's name */
  dtype: string;
  /** the length of each axis, null where unknown */
  shape: (number | null)[];
  /** how the type is shown */
  text: string;
}

/** One op applied to inputs, in a film; it is no node of the canvas, but may stem from some. */
export interface FilmNode {
  /** its number, the same in the whole film */
  id: number;
  /** the op's name */
  op: string;
  /** the op's parameters by name */
  params: Record<string, unknown>;
  /** what each port reads */
  inputs: (FilmLeaf | FilmResult)[];
  /** the type of each result */
  types: FilmType[];
  /** what people call each result */
  names: (string | null)[];
  /** the canvas nodes that it stems from */
  origins: string[];
  /** its estimated cost, in elementary operations */
  cost: number;
}

/** A whole graph, between two steps. */
export interface FilmFrame {
  /** its nodes, by rising id */
  nodes: FilmNode[];
  /** where each of its outputs comes from */
  outputs: (FilmLeaf | FilmResult)[];
}

/** An input that reads something else from a step on. */
export interface FilmWire {
  /** the node that reads, null for an output of the graph */
  reader: number | null;
  /** the number of its input, or of the output */
  port: number;
  /** what it reads from then on */
  source: FilmLeaf | FilmResult;
}

/** One law applied once: added nodes come, then wires are laid, then removed nodes go. */
export interface FilmStep {
  /** where in its film it is, from 0 */
  position: number;
  /** the law's phase */
  phase: string;
  /** the law's name */
  rule: string;
  /** its reason */
  why: string;
  /** what it may hide or show: erases_nan, shows_nan, hides_error; and other marks */
  tags: string[];
  /** what was replaced, as text */
  before: string;
  /** its replacement, as text */
  after: string;
  /** what was replaced, as TeX */
  before_tex: string;
  /** its replacement, as TeX */
  after_tex: string;
  /** what was replaced */
  old: FilmLeaf | FilmResult;
  /** its replacement */
  new: FilmLeaf | FilmResult;
  /** the ids of the nodes that went */
  removed: number[];
  /** the nodes that came */
  added: FilmNode[];
  /** the inputs that were connected anew */
  wires: FilmWire[];
  /** how many nodes there were */
  nodes_before: number;
  /** how many there are now */
  nodes_after: number;
  /** the estimated cost of the graph before */
  cost_before: number;
  /** the estimated cost of the graph now */
  cost_after: number;
  /** how long it took */
  seconds: number;
  /** steps inside of it, such as in a loop's body; film_page shows them */
  inside: number;
}

/** A value that is not computed: an input, a shared variable or a constant. */
export interface FilmVariable {
  /** its number, the same in the whole film */
  id: number;
  /** which of these it is */
  kind: "input" | "shared" | "constant";
  /** what people call it */
  name: string | null;
  /** its type */
  type: FilmType;
  /** of a small constant its elements, nested */
  data: Data | null;
  /** the canvas nodes that it stems from */
  origins: string[];
}

/** Some steps of a film, complete by themselves. */
export interface FilmPage {
  /** always wiregrad-film */
  format: string;
  /** which form this is */
  version: number;
  /** the steps inside of which the film is */
  path: number[];
  /** how many steps the film has */
  length: number;
  /** how many with those inside of them */
  total: number;
  /** the position of the first step here */
  start: number;
  /** the position of the next page, null after the last */
  next: number | null;
  /** the graph before the first step; null if not wanted or of over 5,000 nodes */
  frame: FilmFrame | null;
  /** what happened */
  steps: FilmStep[];
  /** the variables that the frame and steps name */
  leaves: FilmVariable[];
  /** laws that failed, phases that were cut short */
  warnings: string[];
}

/** What film_open answers, beside ok. */
export interface FilmOpenReply {
  /** the film, to ask for pages of it */
  film_id: string;
  /** the revision of the document that it is of */
  revision: number;
  /** the function that it is of */
  function: string;
  /** how many nodes the function has as it was written */
  nodes_before: number;
  /** how many after all steps */
  nodes_after: number;
  /** its estimated cost as it was written, in elementary operations */
  cost_before: number;
  /** its estimated cost after all steps */
  cost_after: number;
  /** what each law did */
  laws: FilmLaw[];
  /** the first steps */
  page: FilmPage;
}

/** Some steps of an open film. It stays that of its revision; it is closed when many others are opened, when it is opened anew for a changed graph, and when the graph is deleted. */
export interface FilmPageRequest {
  /** the film */
  film_id: string;
  /** the steps inside of which to look, none for the film */
  path: number[];
  /** the position of the first step */
  start: number;
  /** how many steps; fewer come where they are very large */
  count: number;
  /** whether the graph before the first step is wanted */
  frame: boolean;
}

/** What film_page answers, beside ok. */
export interface FilmPageReply {
  /** the steps */
  page: FilmPage;
}

/** Train a graph in a process of its own, from its initial values. */
export interface RunStartRequest {
  /** the graph */
  graph_id: string;
  /** how many steps, null for the document's own number */
  steps?: number | null;
  /** the seed, null for the document's own */
  seed?: number | null;
  /** where to compute */
  device: "cpu";
  /** values of inputs by name, instead of the document's */
  set: Record<string, unknown>;
  /** the speed, null for as fast as it goes */
  steps_per_second?: number | null;
  /** whether to wait at step 0 for step or resume */
  paused?: boolean;
}

/** Where a run is in its life. */
export type RunState = "starting" | "compiling" | "running" | "paused" | "stopped" | "done" | "failed" | "lost";

/** A value that was set while a run was going. */
export interface RunEvent {
  /** the number of steps done before it took effect */
  step: number;
  /** the input that was set */
  name: string;
  /** its value from then on */
  value: unknown;
}

/** A run and how it stands. */
export interface RunInfo {
  /** the run */
  run_id: string;
  /** the graph it trains */
  graph_id: string;
  /** the graph's title when it started */
  title: string;
  /** where it is in its life */
  state: RunState;
  /** steps done */
  step: number;
  /** steps to do */
  steps: number;
  /** changes when the recorded points are not a continuation */
  epoch: number;
  /** the seed it was started with, null for the graph's own */
  seed: number | null;
  /** where it computes */
  device: "cpu";
  /** when, in seconds since 1970 */
  started_at: number;
  /** how long it has trained, without compiling and pauses */
  seconds: number;
  /** the newest cost */
  cost: Scalar | null;
  /** why it ended, when not by being done */
  reason: string | null;
  /** the names of its curves */
  metrics: string[];
  /** what was set on the way */
  events: RunEvent[];
}

/** What run_start answers, beside ok. */
export interface RunStartReply {
  /** the new run */
  run: RunInfo;
}

/** Pause, resume, single-step or stop a run. */
export interface RunControlRequest {
  /** the run */
  run_id: string;
  /** what to do */
  action: "pause" | "resume" | "step" | "stop";
}

/** What run_control answers, beside ok. */
export interface RunControlReply {
  /** the state of the run when the command was taken */
  state: RunState;
}

/** Change the speed of a run. */
export interface RunSpeedRequest {
  /** the run */
  run_id: string;
  /** null for as fast as it goes */
  steps_per_second?: number | null;
}

/** What run_speed answers, beside ok. */
export type RunSpeedReply = Record<string, never>;

/** Set an input of a run, such as its learning rate, between two steps. */
export interface RunSetRequest {
  /** the run */
  run_id: string;
  /** the input's name */
  name: string;
  /** a number or nested list */
  value: unknown;
}

/** What run_set answers, beside ok. */
export type RunSetReply = Record<string, never>;

/** Receive the frames of a run from a step on: -1 for all, else the last step one has. When the epoch is not the run's own, everything is sent again. */
export interface RunSubscribeRequest {
  /** the run */
  run_id: string;
  /** the last step that the client has */
  after_step: number;
  /** the epoch that step belongs to, 0 if none */
  epoch: number;
  /** how many pixels wide the chart is */
  width: number;
}

/** What run_subscribe answers, beside ok. */
export interface RunSubscribeReply {
  /** the run as it stands */
  run: RunInfo;
}

/** Receive no more frames of a run. */
export interface RunUnsubscribeRequest {
  /** the run */
  run_id: string;
}

/** What run_unsubscribe answers, beside ok. */
export type RunUnsubscribeReply = Record<string, never>;

/** The runs of one graph or of all, the newest first. */
export interface RunListRequest {
  /** the graph, null for all */
  graph_id?: string | null;
}

/** What run_list answers, beside ok. */
export interface RunListReply {
  /** the runs */
  runs: RunInfo[];
}

/** News of a run: the points since the last frame, merged to the subscriber's width, and the values that changed. The client acknowledges it and only then gets the next. */
export interface RunFramePush {
  /** the run */
  run_id: string;
  /** the epoch of the points */
  epoch: number;
  /** the state of the run */
  state: RunState;
  /** steps done */
  step: number;
  /** steps to do */
  steps: number;
  /** how long it has trained */
  seconds: number;
  /** how fast it went lately, 0 when it did not */
  steps_per_second: number;
  /** the curve that the points belong to */
  metric: string;
  /** little-endian float64 pairs of step and value, steps rising */
  points: ArrayBuffer;
  /** by node id, the outputs and shared variables that changed */
  values: Record<string, Value>;
  /** why it ended, when not by being done */
  reason: string | null;
}

/** Something that everybody should know, such as a server that stops or a disk that is full. */
export interface ServerNoticePush {
  /** how bad it is */
  level: "info" | "warning" | "error";
  /** one sentence */
  message: string;
}

/** Every request is answered by its reply with `ok: true`, or by an error. */
export type Ack<Reply> = ({ ok: true } & Reply) | { ok: false; error: WireError };

/** Every request by name. */
export interface Requests {
  graph_open: { request: GraphOpenRequest; reply: GraphOpenReply };
  graph_edit: { request: GraphEditRequest; reply: GraphEditReply };
  graph_list: { request: GraphListRequest; reply: GraphListReply };
  graph_save: { request: GraphSaveRequest; reply: GraphSaveReply };
  graph_delete: { request: GraphDeleteRequest; reply: GraphDeleteReply };
  graph_call: { request: GraphCallRequest; reply: GraphCallReply };
  graph_reset: { request: GraphResetRequest; reply: GraphResetReply };
  wire_check: { request: WireCheckRequest; reply: WireCheckReply };
  film_open: { request: FilmOpenRequest; reply: FilmOpenReply };
  film_page: { request: FilmPageRequest; reply: FilmPageReply };
  run_start: { request: RunStartRequest; reply: RunStartReply };
  run_control: { request: RunControlRequest; reply: RunControlReply };
  run_speed: { request: RunSpeedRequest; reply: RunSpeedReply };
  run_set: { request: RunSetRequest; reply: RunSetReply };
  run_subscribe: { request: RunSubscribeRequest; reply: RunSubscribeReply };
  run_unsubscribe: { request: RunUnsubscribeRequest; reply: RunUnsubscribeReply };
  run_list: { request: RunListRequest; reply: RunListReply };
}

/** Every push by name. */
export interface Pushes {
  run_frame: RunFramePush;
  server_notice: ServerNoticePush;
}
