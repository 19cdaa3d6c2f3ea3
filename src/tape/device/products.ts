/**
 * The forms of the tape (../forms) as products of matrices and kernels. A convolution is a product for each run of
 * pixels of a row that the same taps reach, with a term for each tap.
 */
import type { Block } from '../../device/work/demand.js';
import type { ProductTarget, ProductTerm } from '../../device/work/products.js';
import type { FormUse, Operands } from '../forms/form.js';
import { blocksOf, geometryOf, type Block as Pixels, type Phase } from '../forms/geometry.js';
import type { Node } from '../node.js';
import type { Beta } from '../primitive.js';
import { formOf, modeOf, operandsOf, type FormName } from '../primitives/bilinear.js';
import { columnsOf, numbersOf, rowsOf } from '../shape.js';
import { COLUMN_DOTS, map, MULTIPLY, reduction, ROW_DOTS, SCALE_COLUMNS, SCALE_ROWS, writing } from './maps.js';
import { clear, clearRows } from './moves.js';
import { place, transposed, type Lowering, type Recorder } from './recorder.js';

type FormLowering = (recorder: Recorder, use: FormUse, beta: Beta) => void;

/** T = ⟨Y, WᵀX⟩. */
const dense: FormLowering = (recorder, { operands: [w, x, y], mode }, beta) => {
  const [inputs, outputs] = [rowsOf(x.shape), rowsOf(y.shape)];
  const n = columnsOf(x.shape, recorder.samples);
  const W = place(recorder.at(w), rowsOf(w.shape));
  const X = place(recorder.at(x), inputs);
  const Y = place(recorder.at(y), outputs);
  const keep = beta === 1;
  if (mode === 2)
    recorder.multiply(keep, [{ c: Y, rows: outputs, columns: n, terms: [{ a: transposed(W), b: X, depth: inputs }] }]);
  else if (mode === 1)
    recorder.multiply(keep, [{ c: X, rows: inputs, columns: n, terms: [{ a: W, b: Y, depth: outputs }] }]);
  else {
    recorder.sum(keep, [{ c: W, rows: inputs, columns: outputs, terms: [{ a: X, b: transposed(Y), depth: n }] }]);
    if (!keep) clearRows(recorder, w, inputs);
  }
};

/** T = Σ ⟨O_bh, V_bh·S_bh⟩. */
const heads: FormLowering = (recorder, { operands: [v, s, o], mode }, beta) => {
  const features = rowsOf(v.shape);
  const [keys, count, queries] = s.shape.dims;
  const own = features / count;
  const { samples } = recorder;
  const keep = beta === 1;
  const products: ProductTarget[] = [];
  for (let h = 0; h < count; h++)
    for (let b = 0; b < samples; b++) {
      const columns = (x: Node): Block => place(recorder.at(x) + b * features + h * own, features * samples);
      const S = place(recorder.at(s) + keys * (b + samples * h), keys * samples * count);
      const [V, O] = [columns(v), columns(o)];
      if (mode === 2) products.push({ c: O, rows: own, columns: queries, terms: [{ a: V, b: S, depth: keys }] });
      else if (mode === 1)
        products.push({ c: S, rows: keys, columns: queries, terms: [{ a: transposed(V), b: O, depth: own }] });
      else products.push({ c: V, rows: own, columns: keys, terms: [{ a: O, b: transposed(S), depth: queries }] });
    }
  recorder.multiply(keep, products);
};

/** T = Σ aᵢbᵢcᵢ. */
const elementwise: FormLowering = (recorder, { operands, mode }, beta) => {
  const [x, z] = operands.filter((_, k) => k !== mode);
  const out = operands[mode];
  const places = [recorder.at(out), beta, recorder.at(x), recorder.at(z)];
  recorder.run(MULTIPLY, numbersOf(out.shape, recorder.samples), places);
};

/** T = Σᵢⱼ aᵢBᵢⱼCᵢⱼ, or aⱼ of columns. */
const scaled =
  (byRow: boolean): FormLowering =>
  (recorder, { operands: [a, b, c], mode }, beta) => {
    const [rows, columns] = [rowsOf(b.shape), columnsOf(b.shape, recorder.samples)];
    if (mode === 0) {
      const [count, terms] = byRow ? [rows, columns] : [columns, rows];
      const integers = [recorder.at(a), beta, terms, recorder.at(b), recorder.at(c), rows];
      recorder.run(byRow ? ROW_DOTS : COLUMN_DOTS, count, integers, [1]);
    } else {
      const [x, y] = mode === 2 ? [b, c] : [c, b];
      const integers = [recorder.at(y), beta, recorder.at(a), recorder.at(x), rows];
      recorder.run(byRow ? SCALE_ROWS : SCALE_COLUMNS, rows * columns, integers);
    }
  };

const INTO_PHASE = map(
  'into phase',
  ['x', 'chunk', 'wide', 'step', 'stride'],
  `int p = i / chunk;
result = h[x + i % chunk + chunk * (step * (p % wide) + stride * (p / wide))];`,
);
const FROM_PHASE = writing(
  'from phase',
  ['y', 'keep', 'x', 'chunk', 'wide', 'step', 'stride'],
  `int p = i / chunk;
int to = y + i % chunk + chunk * (step * (p % wide) + stride * (p / wide));
real result = h[x + i];
if (keep > 0) { result = result + h[to]; }
h[to] = result;`,
);

/** Copies phases of x to their places in scratch memory, or adds them to x; `visit` tells which. */
function eachPhase(
  recorder: Recorder,
  { node, operands: [, x] }: FormUse,
  visit: (phase: Phase, own: number, image: number, sizes: readonly number[]) => void,
): void {
  const { width, strideX, strideY } = geometryOf(node.attributes);
  const chunk = rowsOf(x.shape) * recorder.samples;
  const scratch = recorder.scratchAt(0, numbersOf(x.shape, recorder.samples));
  for (const phase of blocksOf(node.attributes).phases) {
    if (phase.width * phase.height === 0) continue;
    const image = recorder.at(x) + chunk * (phase.x + width * phase.y);
    visit(phase, scratch + chunk * phase.first, image, [chunk, phase.width, strideX, strideY * width]);
  }
}

const isStrided = ({ node }: FormUse): boolean => {
  const { strideX, strideY } = geometryOf(node.attributes);
  return strideX * strideY > 1;
};

/** Where x stands in the order of phases. */
function intoPhases(recorder: Recorder, use: FormUse): number {
  const chunk = rowsOf(use.operands[1].shape) * recorder.samples;
  if (!isStrided(use)) return recorder.at(use.operands[1]);
  eachPhase(recorder, use, ({ used, width, height }, own, image, sizes) => {
    if (used) recorder.run(INTO_PHASE, chunk * width * height, [own, 0, image, ...sizes]);
  });
  return recorder.scratchAt(0, 0);
}

/** Where phases of x are to be written, and what then brings them to x. */
function fromPhases(recorder: Recorder, use: FormUse, beta: Beta): { at: number; keep: boolean; done: () => void } {
  const chunk = rowsOf(use.operands[1].shape) * recorder.samples;
  if (!isStrided(use)) return { at: recorder.at(use.operands[1]), keep: beta === 1, done: () => undefined };
  return {
    at: recorder.scratchAt(0, numbersOf(use.operands[1].shape, recorder.samples)),
    keep: false,
    done: () => {
      eachPhase(recorder, use, ({ width, height }, own, image, sizes) => {
        recorder.run(FROM_PHASE, chunk * width * height, [image, beta, own, ...sizes]);
      });
    },
  };
}

/** Pixels [first, end) of the target that the same blocks reach, each from so many pixels on of its source. */
interface Run {
  readonly first: number;
  readonly end: number;
  readonly from: readonly { readonly block: Pixels; readonly skip: number }[];
}

/** The target's pixels, cut where a block begins or ends. */
function runsOf(blocks: readonly Pixels[], target: (block: Pixels) => number): Run[] {
  const cuts = [...new Set(blocks.flatMap((block) => [target(block), target(block) + block.pixels]))].sort(
    (a, b) => a - b,
  );
  const numberOf = new Map(cuts.map((cut, k) => [cut, k]));
  const runs = cuts.slice(1).map((end, k) => ({ first: cuts[k], end, from: [] as { block: Pixels; skip: number }[] }));
  for (const block of blocks) {
    if (block.tap < 0) continue;
    const begin = target(block);
    for (let k = numberOf.get(begin)!; runs[k] !== undefined && runs[k].end <= begin + block.pixels; k++)
      runs[k].from.push({ block, skip: runs[k].first - begin });
  }
  return runs;
}

/** T = ⟨Y, conv(W, X)⟩. */
const convolution: FormLowering = (recorder, use, beta) => {
  const { node, operands, mode } = use;
  const [w, x, y] = operands;
  const { samples } = recorder;
  const groups = node.attributes['groups'] as number;
  const [inputs, outputs] = [rowsOf(x.shape), rowsOf(y.shape)];
  const [own, made] = [inputs / groups, outputs / groups];
  const W = (tap: number, g: number): Block =>
    place(recorder.at(w) + own * tap + rowsOf(w.shape) * made * g, rowsOf(w.shape));
  const X = (images: number, pixel: number, g: number): Block =>
    place(images + inputs * samples * pixel + g * own, inputs);
  const Y = (pixel: number, g: number): Block => place(recorder.at(y) + outputs * samples * pixel + g * made, outputs);
  const { toOutputs, toInputs } = blocksOf(node.attributes);
  const each = Array.from({ length: groups }, (_, g) => g);
  if (mode === 1) {
    const { at, keep, done } = fromPhases(recorder, use, beta);
    recorder.multiply(
      keep,
      runsOf(toInputs, (block) => block.x).flatMap(({ first, end, from }) =>
        each.map((g) => ({
          c: X(at, first, g),
          rows: own,
          columns: (end - first) * samples,
          terms: from.map(({ block, skip }) => ({ a: W(block.tap, g), b: Y(block.y + skip, g), depth: made })),
        })),
      ),
    );
    done();
    return;
  }
  const images = intoPhases(recorder, use);
  if (mode === 2) {
    recorder.multiply(
      beta === 1,
      runsOf(toOutputs, (block) => block.y).flatMap(({ first, end, from }) =>
        each.map((g) => ({
          c: Y(first, g),
          rows: made,
          columns: (end - first) * samples,
          terms: from.map(({ block, skip }) => ({
            a: transposed(W(block.tap, g)),
            b: X(images, block.x + skip, g),
            depth: own,
          })),
        })),
      ),
    );
    return;
  }
  const taps = new Map<number, Pixels[]>();
  for (const block of toOutputs) if (block.tap >= 0) taps.set(block.tap, [...(taps.get(block.tap) ?? []), block]);
  if (beta === 0) clear(recorder, w);
  recorder.sum(
    beta === 1,
    [...taps].flatMap(([tap, blocks]) =>
      each.map((g) => ({
        c: W(tap, g),
        rows: own,
        columns: made,
        terms: blocks.map((block): ProductTerm => ({
          a: X(images, block.x, g),
          b: transposed(Y(block.y, g)),
          depth: block.pixels * samples,
        })),
      })),
    ),
  );
};

const TAPS = ['channels', 'samples', 'width', 'height', 'kw', 'kh', 'sx', 'sy', 'px', 'py', 'dx', 'dy', 'ow', 'oh'];
const DEPTHWISE_OUTPUT = map(
  'depthwise, output',
  ['w', 'x', ...TAPS],
  `int chunk = channels * samples;
int o = i / chunk;
int r = i % channels;
for (int v = 0; v < kh; v++) {
  for (int u = 0; u < kw; u++) {
    int s = (o % ow) * sx - px + u * dx;
    int t = (o / ow) * sy - py + v * dy;
    if (s >= 0 && s < width && t >= 0 && t < height) {
      result = result + h[w + r + channels * (u + kw * v)] * h[x + i % chunk + chunk * (s + width * t)];
    }
  }
}`,
);
const DEPTHWISE_INPUT = map(
  'depthwise, input',
  ['w', 'x', ...TAPS],
  `int chunk = channels * samples;
int p = i / chunk;
int r = i % channels;
for (int v = 0; v < kh; v++) {
  for (int u = 0; u < kw; u++) {
    int s = p % width + px - u * dx;
    int t = p / width + py - v * dy;
    if (s >= 0 && t >= 0 && s % sx == 0 && t % sy == 0 && s / sx < ow && t / sy < oh) {
      result = result + h[w + r + channels * (u + kw * v)] * h[x + i % chunk + chunk * (s / sx + ow * (t / sy))];
    }
  }
}`,
);
const DEPTHWISE_WEIGHT = reduction(
  'depthwise, weight',
  ['x', 'z', ...TAPS],
  `int o = k / samples;
int r = i % channels + channels * (k % samples);
int s = (o % ow) * sx - px + ((i / channels) % kw) * dx;
int t = (o / ow) * sy - py + (i / channels / kw) * dy;
if (s >= 0 && s < width && t >= 0 && t < height) {
  value = h[x + r + channels * samples * (s + width * t)] * h[z + r + channels * samples * o];
}`,
);

/** T = ⟨Y, conv(W, X)⟩, a kernel for each channel. */
const depthwise: FormLowering = (recorder, { node, operands, mode }, beta) => {
  const [w, x, y] = operands.map((operand) => recorder.at(operand));
  const { samples } = recorder;
  const g = geometryOf(node.attributes);
  const sizes = [rowsOf(operands[1].shape), samples, g.width, g.height, g.kernelWidth, g.kernelHeight];
  sizes.push(g.strideX, g.strideY, g.padX, g.padY, g.dilationX, g.dilationY, g.outWidth, g.outHeight);
  const count = numbersOf(operands[mode].shape, samples);
  if (mode === 2) recorder.run(DEPTHWISE_OUTPUT, count, [y, beta, w, x, ...sizes]);
  else if (mode === 1) recorder.run(DEPTHWISE_INPUT, count, [x, beta, w, y, ...sizes]);
  else recorder.run(DEPTHWISE_WEIGHT, count, [w, beta, samples * g.outWidth * g.outHeight, x, y, ...sizes], [1]);
};

const FORMS: Readonly<Record<FormName, FormLowering>> = {
  dense,
  convolution,
  depthwise,
  heads,
  elementwise,
  rows: scaled(true),
  columns: scaled(false),
};

/** The derivative of a form along one operand. */
export const bilinear: Lowering = (recorder, node, beta) => {
  const operands: Operands = operandsOf(node);
  FORMS[formOf(node)](recorder, { node, operands, mode: modeOf(node) }, beta);
};
