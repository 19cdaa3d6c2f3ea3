/**
 * Numbers that are moved: other orders, some of the rows, columns by index, what follows from tokens, maxima of
 * windows. Adjoints are written as sums of what comes to a number, so that no two threads write to one.
 */
import type { Node } from '../node.js';
import type { Beta } from '../primitive.js';
import { geometryOf } from '../forms/geometry.js';
import type { Sight, TargetSettings } from '../primitives/tokens.js';
import { columnsOf, numbersEach, numbersOf, positionsOf, rowsOf } from '../shape.js';
import { FILL, map, writing } from './maps.js';
import type { Lowering, Recorder } from './recorder.js';

const LAST_ROW = map('last row', ['w', 'rows'], 'result = h[w + i * rows + rows - 1];');
const INTO_LAST_ROW = writing(
  'into last row',
  ['y', 'x', 'rows'],
  'h[y + i * rows + rows - 1] = h[y + i * rows + rows - 1] + h[x + i];',
);

/** A node's numbers ← 0. */
export const clear = (recorder: Recorder, node: Node): void => {
  recorder.run(FILL, numbersOf(node.shape, recorder.samples), [recorder.at(node), 0], [0]);
};

/** Biases from weights. */
export const lastRow: Lowering = (recorder, node) => {
  const [w] = node.inputs;
  recorder.run(LAST_ROW, rowsOf(node.shape), [recorder.at(node), 0, recorder.at(w), rowsOf(w.shape)]);
};

/** Their adjoint. */
export const intoLastRow: Lowering = (recorder, node, beta) => {
  const [x] = node.inputs;
  if (beta === 0) clear(recorder, node);
  recorder.run(INTO_LAST_ROW, rowsOf(x.shape), [recorder.at(node), recorder.at(x), rowsOf(node.shape)]);
};

// Number r of position p of sample b stands at r + d·(b + samples·p) of images, at (r·positions + p) + d·positions·b of
// rows.
const TO_ROWS = map(
  'to rows',
  ['x', 'd', 'positions', 'samples'],
  `int b = i / (d * positions);
int q = i % (d * positions);
result = h[x + q / positions + d * (b + samples * (q % positions))];`,
);
const TO_IMAGE = map(
  'to image',
  ['x', 'd', 'positions', 'samples'],
  `int c = i / d;
result = h[x + (i % d) * positions + c / samples + d * positions * (c % samples)];`,
);

/** Positions into rows, or back. */
const turn =
  (toImage: boolean): Lowering =>
  (recorder, node) => {
    const [x] = node.inputs;
    const { shape } = toImage ? node : x;
    const integers = [recorder.at(node), 0, recorder.at(x), rowsOf(shape), positionsOf(shape), recorder.samples];
    recorder.run(toImage ? TO_IMAGE : TO_ROWS, numbersOf(shape, recorder.samples), integers);
  };

/** d₀ × samples × positions into rows. */
export const flatten: Lowering = turn(false);
/** Back. */
export const unflatten: Lowering = turn(true);

const ROWS = map('rows', ['x', 'own', 'all', 'first'], 'result = h[x + first + i % own + all * (i / own)];');
const PLACED = map(
  'placed rows',
  ['x', 'own', 'all', 'first'],
  `int r = i % all - first;
if (r >= 0 && r < own) { result = h[x + r + own * (i / all)]; }`,
);

/** Some of the rows, or rows among zeros. */
const someRows =
  (placed: boolean): Lowering =>
  (recorder, node, beta) => {
    const [x] = node.inputs;
    const [own, all] = placed ? [rowsOf(x.shape), rowsOf(node.shape)] : [rowsOf(node.shape), rowsOf(x.shape)];
    const integers = [recorder.at(node), beta, recorder.at(x), own, all, node.attributes['first'] as number];
    recorder.run(placed ? PLACED : ROWS, numbersOf(node.shape, recorder.samples), integers);
  };

/** Rows of every column. */
export const rows: Lowering = someRows(false);
/** Rows among zeros. */
export const placeRows: Lowering = someRows(true);

const COLUMNS_AT = map('columns at', ['w', 'ids', 'd'], 'result = h[w + int(h[ids + i / d]) * d + i % d];');
// Of columns with one index the first one knows how many there are (of the others 0), each the one that comes next.
const LINK = writing(
  'link',
  ['ids', 'columns', 'times', 'next'],
  `int id = int(h[ids + i]);
int before = 0;
int all = 0;
int after = -1;
for (int k = 0; k < columns; k++) {
  if (int(h[ids + k]) == id) {
    all = all + 1;
    if (k < i) { before = before + 1; }
    if (k > i && after < 0) { after = k; }
  }
}
h[times + i] = select(0.0, real(all), before == 0);
h[next + i] = real(after);`,
);
// A thread for each row of each index: its columns are added one after the other.
const ADD_COLUMNS_AT = writing(
  'add columns at',
  ['y', 'x', 'ids', 'd', 'times', 'next'],
  `int j = i / d;
int count = int(h[times + j]);
if (count > 0) {
  int to = y + int(h[ids + j]) * d + i % d;
  real result = h[to];
  for (int k = 0; k < count; k++) {
    result = result + h[x + j * d + i % d];
    j = int(h[next + j]);
  }
  h[to] = result;
}`,
);

/** Columns by index. */
export const columnsAt: Lowering = (recorder, node, beta) => {
  const [w, ids] = node.inputs;
  const integers = [recorder.at(node), beta, recorder.at(w), recorder.at(ids), rowsOf(node.shape)];
  recorder.run(COLUMNS_AT, numbersOf(node.shape, recorder.samples), integers);
};

/** Their adjoint. */
export const addColumnsAt: Lowering = (recorder, node, beta) => {
  const [ids, y] = node.inputs;
  if (beta === 0) clear(recorder, node);
  const [d, columns] = [rowsOf(y.shape), columnsOf(y.shape, recorder.samples)];
  const [times, next] = [recorder.scratchAt(0, columns), recorder.scratchAt(columns, columns)];
  recorder.run(LINK, columns, [recorder.at(ids), columns, times, next]);
  recorder.run(ADD_COLUMNS_AT, d * columns, [recorder.at(node), recorder.at(y), recorder.at(ids), d, times, next]);
};

const ONE_HOT = map(
  'one hot',
  ['ids', 'classes', 'padding'],
  `int id = int(h[ids + i / classes]);
if (id != padding) { result = share + select(0.0, own, id == i % classes); }`,
  ['share', 'own'],
);
const PRESENT = map('present', ['ids', 'padding'], 'result = select(1.0, 0.0, int(h[ids + i]) == padding);');
// Score k of query q, head a and sample b stands at k + keys·(b + samples·(a + heads·q)), token k of sample b at
// b + samples·k.
const HIDE_KEYS = map(
  'hide keys',
  ['x', 'ids', 'padded', 'causal', 'padding', 'keys', 'samples', 'heads'],
  `int k = i % keys;
int c = i / keys;
result = h[x + i];
if (padded > 0) { if (int(h[ids + c % samples + samples * k]) == padding) { result = hidden; } }
if (causal > 0 && k > c / (samples * heads)) { result = 2.0 * hidden; }`,
  ['hidden'],
);

/** Targets as columns. */
export const oneHot: Lowering = (recorder, node) => {
  const { classes, smoothing, padding } = node.attributes as unknown as TargetSettings;
  const integers = [recorder.at(node), 0, recorder.at(node.inputs[0]), classes, padding];
  recorder.run(ONE_HOT, numbersOf(node.shape, recorder.samples), integers, [smoothing / classes, 1 - smoothing]);
};

/** Which tokens are no padding. */
export const present: Lowering = (recorder, node) => {
  const padding = node.attributes['padding'] as number;
  recorder.run(PRESENT, numbersOf(node.shape, recorder.samples), [
    recorder.at(node),
    0,
    recorder.at(node.inputs[0]),
    padding,
  ]);
};

/** Scores that are not to be seen. */
export const hideKeys: Lowering = (recorder, node) => {
  const { causal, padding, value } = node.attributes as unknown as Sight & { readonly value: number };
  const [x, ids] = node.inputs;
  const [keys, heads] = node.shape.dims;
  const padded = ids === undefined ? 0 : 1;
  const places = [recorder.at(node), 0, recorder.at(x), padded === 1 ? recorder.at(ids) : 0];
  const integers = [...places, padded, causal ? 1 : 0, padding, keys, recorder.samples, heads];
  recorder.run(HIDE_KEYS, numbersOf(node.shape, recorder.samples), integers, [value]);
};

/** Sizes of windows, as kernels have them; `depth` numbers stand at each pixel. */
const WINDOWS = ['depth', 'width', 'height', 'kw', 'kh', 'sx', 'sy', 'px', 'py', 'ow', 'oh'];

function windows(recorder: Recorder, node: Node, x: Node): number[] {
  const g = geometryOf(node.attributes);
  const depth = rowsOf(x.shape) * recorder.samples;
  const { width, height, kernelWidth, kernelHeight, strideX, strideY, padX, padY, outWidth, outHeight } = g;
  return [depth, width, height, kernelWidth, kernelHeight, strideX, strideY, padX, padY, outWidth, outHeight];
}

// A place is the number of the window's tap.
const MAXIMUM = (part: 'value' | 'place'): ReturnType<typeof map> =>
  map(
    `maximum, ${part}`,
    ['x', ...WINDOWS],
    `int o = i / depth;
int left = (o % ow) * sx - px;
int top = (o / ow) * sy - py;
real most = 0.0;
int tap = -1;
for (int v = 0; v < kh; v++) {
  for (int u = 0; u < kw; u++) {
    int s = left + u;
    int t = top + v;
    if (s >= 0 && s < width && t >= 0 && t < height) {
      real candidate = h[x + i % depth + depth * (s + width * t)];
      if (tap < 0 || candidate > most) { most = candidate; tap = u + kw * v; }
    }
  }
}
result = ${part === 'value' ? 'most' : 'real(tap)'};`,
  );
const MAXIMA = { value: MAXIMUM('value'), place: MAXIMUM('place') } as const;

const PICK = map(
  'pick',
  ['x', 'q', ...WINDOWS],
  `int o = i / depth;
int tap = int(h[q + i]);
int s = (o % ow) * sx - px + tap % kw;
int t = (o / ow) * sy - py + tap / kw;
if (tap >= 0 && s >= 0 && s < width && t >= 0 && t < height) { result = h[x + i % depth + depth * (s + width * t)]; }`,
);
const PUT_BACK = map(
  'put back',
  ['x', 'q', ...WINDOWS],
  `int pixel = i / depth;
for (int v = 0; v < kh; v++) {
  for (int u = 0; u < kw; u++) {
    int left = pixel % width + px - u;
    int top = pixel / width + py - v;
    if (left >= 0 && top >= 0 && left % sx == 0 && top % sy == 0 && left / sx < ow && top / sy < oh) {
      int o = i % depth + depth * (left / sx + ow * (top / sy));
      if (int(h[q + o]) == u + kw * v) { result = result + h[x + o]; }
    }
  }
}`,
);

/** Maxima of windows: values, or places. */
export const maximum: Lowering = (recorder, node, _, together) => {
  const [x] = node.inputs;
  for (const own of [node, ...together]) {
    const kernel = MAXIMA[own.attributes['part'] as keyof typeof MAXIMA];
    const integers = [recorder.at(own), 0, recorder.at(x), ...windows(recorder, own, x)];
    recorder.run(kernel, numbersOf(own.shape, recorder.samples), integers);
  }
};

const moved =
  (kernel: typeof PICK, of: (node: Node) => Node): Lowering =>
  (recorder, node, beta: Beta) => {
    const [x, places] = node.inputs;
    const integers = [recorder.at(node), beta, recorder.at(x), recorder.at(places)];
    recorder.run(kernel, numbersOf(node.shape, recorder.samples), [
      ...integers,
      ...windows(recorder, places, of(node)),
    ]);
  };

/** Numbers at the places. */
export const pick: Lowering = moved(PICK, ({ inputs: [x] }) => x);
/** Their adjoint. */
export const putBack: Lowering = moved(PUT_BACK, (node) => node);

/** Rows of a shared matrix that a form does not give: zero. */
export function clearRows(recorder: Recorder, w: Node, first: number): void {
  const all = rowsOf(w.shape);
  if (first === all) return;
  const columns = numbersEach(w.shape) / all;
  recorder.run(CLEAR_ROWS, (all - first) * columns, [recorder.at(w), all, first]);
}

const CLEAR_ROWS = writing(
  'clear rows',
  ['y', 'all', 'first'],
  'h[y + first + i % (all - first) + all * (i / (all - first))] = 0.0;',
);
