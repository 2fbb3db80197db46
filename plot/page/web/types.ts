/**
 * What the page is given (written by `plot/page/html.py`), what it remembers, and what its modules hand on.
 *
 * Global, so that no module has to import a name to speak of it; nothing of this reaches the bundle.
 * Grids are rows of y: the value at (x[i], y[j]) stands at j * nx + i.
 */

// In the page's text.
type Numbers = Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;
type PackedArray = { type: "f8" | "f4" | "i8" | "u1"; shape: number[]; bytes: number; table?: number };
type AxisRecord = {
  label: string;
  name: string; // in read-outs, and where there is little room: its letter, or the number of its component
  text: string; // what an axis is called in full, with its share of the variance
  source: string;
  values: number; // number of the array
};
type PathRecord = {
  name: string;
  coordinates: number; // (n, 2)
  loss: number;
  step: number;
  unit: string; // what its steps count
  lossName: string; // which values its loss is to be compared with
  own: Record<string, number>; // values measured at its points
  below: Record<string, number>; // values of the plane at its coordinates
  drops: number[]; // indices at which the learning rate fell
  unordered: boolean; // samples through which no path leads
  note: string; // variance shares, in a sentence
};
type SurfaceRecord = {
  title: string;
  caption: string;
  file: string;
  axes: AxisRecord[];
  values: Record<string, number>;
  stderr: Record<string, number>;
  paired: Record<string, number>;
  counts: Record<string, number>; // samples a point, by data set
  anchored: Record<string, number>; // of values that are estimates: from how many anchors, 0 at points where they are none
  open: Record<string, number>; // 1 where a ratio is not known well enough for its colour, by its name
  state: number; // 0 not computed, 1 computed, 2 interpolated
  unfinished: string; // how much of a run is still to come; empty where all is there
  interpolation: Record<string, string>; // how right interpolated points are, by values; empty where not known
  samples: Record<string, number>; // over how many samples of a data set the checkpoint was measured
  centred: boolean; // whether the checkpoint lies at 0, 0
  origin: Record<string, number>; // values measured at theta*
  trust: [string, string][];
  checkpoint: string; // the name of the network at 0, 0, where there are others on the plane
  networks: NetworkRecord[]; // the others
  paths: PathRecord[];
  curvature: CurvatureRecord[]; // reports of the network at 0, 0, one for each data set
};
type SpectrumRecord = {
  title: string;
  edges: number[]; // of bins: as wide in the logarithm on both sides of 0, and one about it
  counts: number[];
  errors: number[]; // one standard error over probes
  eigenvalues: number[]; // descending
  converged: boolean[];
};
type CurvatureRecord = {
  title: string;
  verdict: string;
  facts: string[];
  rows: string[][]; // label, of the Hessian, in filter lengths
  spectra: SpectrumRecord[];
  slice: string[][]; // axis, by products, by the surface's values, share of random directions below; empty: not compared
  layers: { name: string; trace: number; error: number; normalised: number; normalisedError: number }[];
  left: number; // layers that are not listed
};
type NetworkRecord = { name: string; short: string; x: number; y: number };
type PaneRecord = { title: string; frames: SurfaceRecord[] }; // more than one where there is a slider
type Content = {
  format: "landscape page";
  version: number;
  name: string;
  software: string;
  // Where the pictures came from, in one or two sentences, by the height's name: one, or one a frame.
  captions: Record<string, string[]>;
  frameLabel: string; // what the slider over frames counts
  labels: Record<string, string>; // "train/loss" -> "training loss"
  colormaps: Record<string, string>; // base64 of 256 RGB bytes
  start: Partial<State>;
  panes: PaneRecord[];
  // "0-1" -> "train/loss" -> number of an array: the standard error of the difference of two panes, the first one lower
  differences?: Record<string, Record<string, number>>;
  similarities?: SimilarityRecord[];
  arrays: PackedArray[];
};
type LayersRecord = {
  name: string;
  labels: string[];
  kinds: string[];
  stages: [string, number, number][]; // name, first layer, behind the last one
  start: number; // its first row of the matrices
  block: [number, number] | null; // first and last layer
};
type SimilarityRecord = {
  title: string;
  caption: string;
  networks: LayersRecord[];
  values: { name: string; words: string; range: [number, number]; values: number; errors: number }[]; // (rows, rows); -1: none
  share: number; // (rows,): of the first principal component
  factor: number; // half the width of an interval of 95 %, in standard errors; 0 where not known
};
type Crosshair = { row: string; column: string }; // names of layers
interface Panel {
  name: string;
  element: HTMLElement;
  draw(): void;
}

// Read from it.
type Path = Pick<PathRecord, "name" | "unit" | "drops" | "unordered" | "note"> & {
  x: Float64Array;
  y: Float64Array;
  step: number[];
  own: Record<string, Float64Array>;
  below: Record<string, Float64Array>;
};
type Surface = {
  record: SurfaceRecord;
  title: string;
  nx: number;
  ny: number;
  x: Float64Array;
  y: Float64Array;
  values: Record<string, Float64Array>;
  stderr: Record<string, Float32Array>;
  paired: Record<string, Float32Array>;
  counts: Record<string, BigInt64Array>;
  anchored: Record<string, BigInt64Array>;
  open: Record<string, Uint8Array>;
  state: Uint8Array;
  paths: Path[];
};
// errorsTo: by the other pane's number, standard errors of their difference, where they are known.
type Pane = { title: string; frames: Surface[]; errorsTo: Record<string, Float32Array>[] };

// Remembered, and kept in the address.
type Eye = {
  azimuth: number; // degrees from +x towards +y
  elevation: number; // degrees above the floor
  zoom: number; // 1 shows everything
  panX: number; // in widths of the picture
  panY: number; // in heights of the picture, upwards
};
type Kind = "auto" | "log" | "linear" | "asinh";
type State = {
  height: string; // name of the values drawn as height
  colour: string; // name of the values drawn as colour; "" is those of the height
  kind: Kind;
  eps: number | null;
  cap: number | "auto" | null;
  exaggeration: number;
  colormap: string;
  shared: boolean; // one scale for all panes
  linked: boolean; // one camera for all panes
  lines: boolean;
  floor: boolean;
  box: boolean;
  smooth: boolean;
  headlight: boolean; // light fixed to the camera, not to the scene
  paths: boolean;
  drops: boolean; // drop lines from the true loss
  difference: string; // "0-1" draws the first pane minus the second
  step: number; // how much of the paths is drawn, 0 to 1
  frame: number;
  eyes: Eye[]; // one for all, or one a pane
  pins: [number, number][];
  section: [number, number, number, number] | null;
  theme: "auto" | "light" | "dark";
  drawer: "" | "adjust" | "trust" | "curvature";
};
type Flag = "shared" | "linked" | "lines" | "floor" | "box" | "smooth" | "headlight" | "paths" | "drops";

// Between modules.
type Context = CanvasRenderingContext2D;
type Box = { left: number; top: number; width: number; height: number };
type Margin = { left: number; right: number; top: number; bottom: number }; // pixels kept free for labels
type Point = [number, number, number]; // of the scene
type Cursor = { i: number; j: number }; // a point of the grid
type Quantity = {
  name: string;
  values: Float64Array; // (ny, nx)
  stderr: Float32Array | null;
  paired: Float32Array | null;
  percent: boolean;
  signed: boolean; // differences: zero is the middle
};
type ScaleOptions = {
  kind: Kind;
  eps?: number | null;
  cap?: number | "auto" | null;
  label: string;
  percent?: boolean; // an accuracy in [0, 1]
  signed?: boolean; // a difference: colours and heights are symmetric about 0
  range?: [number, number]; // fixed ends, linear between: for what is compared with other pages
};
type Scale = import("./scale.js").Scale;
// What the panes of one scale share.
type Scales = {
  height: Scale;
  colour: Scale;
  colors: Uint8Array<ArrayBuffer>; // 256 times red, green, blue, alpha
  problem: string; // why the asked scale could not be had; empty otherwise
};
type Field = {
  nx: number;
  ny: number;
  x: Float64Array; // scene's coordinates, (nx,)
  y: Float64Array;
  z: Float64Array; // (ny, nx), NaN in holes
  colour: Float64Array; // (ny, nx), 0 to 1, NaN where there is none
  ceiling: number; // height above which the surface is cut away
  top: number; // height of the scale's upper end
  factor: number; // by how much it is smoothed; 1 is as measured
};
type MeshData = {
  position: Float32Array; // (n, 3)
  normal: Float32Array; // (n, 3)
  paint: Float32Array; // (n, 4): colour 0 to 1 (far below 0 where there is none), open sky, rim, 1 where the colour is open
  index: Uint32Array;
  coarse: Uint32Array; // the same with fewer triangles, for while it moves on a slow machine
};
type IsoLine = {
  level: number; // its index
  points: Float64Array; // x, y, x, y, ... in the scene's coordinates
  closed: boolean;
};
type Tick = { at: number; text: string };
type Frame = { half: [number, number]; x: Tick[]; y: Tick[]; z: Tick[]; names: string[]; xTitle: string; yTitle: string; zTitle: string; top: number };
// What the scenes of all panes share, so that equal heights are equally high: size, the box that is framed, room for bars.
type Room = { width: number; height: number; half: [number, number]; bar: boolean };
// A colour with a word, or a mark with one.
type LegendItem = { color: string; mark: string; text: string };
type Counts = { points: number; missing: number; capped: number; strange: number; interpolated: number; open: number };
type Best = { k: number; value: number; word: string; high: boolean };
type Figure = {
  surface: Surface;
  height: Quantity;
  colour: Quantity;
  scales: Scales;
  field: Field;
  levels: number[]; // heights of the iso-lines in the scene
  lines: IsoLine[];
  frame: Frame;
  best: Best | null;
  counts: Counts;
  open: Uint8Array | null; // of what the colour shows
};
// A run laid over the drawn surface.
type Draped = {
  path: Path;
  points: number[]; // six numbers a segment, in the scene's coordinates
  colors: number[];
  upTo: number[]; // segments drawn once so many iterates are passed
  stops: (Point | null)[]; // the iterates on the surface; null outside or over a hole
  truth: (number | null)[]; // height of the true loss
  outside: number; // iterates that are not on the drawn surface
  gap: number | null; // median distance between true loss and the plane's, in loss units
};
// Where a map lies in its canvas, in pixels.
type Place = Box & {
  toPixel: (x: number, y: number) => [number, number]; // from the scene's coordinates
  toScene: (px: number, py: number) => [number, number];
};
type Network = NetworkRecord & { isCheckpoint: boolean };
type Profile = { title: string; dashed: boolean; color: string; values: Float64Array };
type Look = { headlight: boolean; lineWidth: number; coarse: boolean }; // coarse: fewer triangles
type Theme = {
  dark: boolean;
  ground: string;
  ink: string;
  soft: string;
  line: string;
  missing: string;
  strange: string; // not finite
  gridTint: number[];
  frameTint: number[];
  floorVeil: number[]; // the ends of the colours would be lost on this ground: mixed in, and how much
};
type FlightName = "orbit" | "tour" | "path" | "epochs";
type Moment = { azimuth: number; elevation: number; step: number; frame: number }; // frame is a part of all frames
type Handlers = {
  eye: () => Eye;
  turn: (change: Partial<Eye>) => void;
  hover: (x: number, y: number) => void;
  leave: () => void;
  click: (x: number, y: number) => void;
  moving: (moving: boolean) => void;
};
type Stale = "figures" | "scenes" | "maps" | "tops";
type App = import("./app.js").App;
type PaneView = import("./pane.js").PaneView;
type Stage = import("./stage.js").Stage;
type View = import("./view.js").View;
