/**
 * Kernels made of kernels: sums, products, positive multiples, and length scales of the coordinates. All of them are
 * positive semidefinite where their parts are (a product by Schur's theorem).
 *
 * Parts that are functions of the same argument of the same points share an input: it is computed once. With one input
 * the composition is a kernel like any other, evaluated in place; with several, blocks of all of them stand side by
 * side. Either way it goes over chunks that stay in the first-level cache, part by part.
 */
import { OptionError } from '../../core/errors.js';
import { describe, requireRole } from '../../core/kind.js';
import { asFloat64 } from '../../core/numbers.js';
import { CHUNK } from './exponential.js';
import type { Composition, Evaluate, Kernel, KernelDefinition, KernelInput } from './kernel.js';
import { chained, scaleCoordinates } from './point-map.js';

/** Length scales that a name lists; of more it says how many there are. */
const MOST_LISTED = 6;

/** Where the blocks of a kernel's inputs lie: that of input g begins at offset + g·stride, its chunk `begin` later. */
interface Blocks {
  readonly values: Float64Array;
  readonly offset: number;
  readonly stride: number;
  readonly begin: number;
  readonly count: number;
}

/** out[0 … count) ← the values of one part. */
type Step = (blocks: Blocks, out: Float64Array) => void;

/** k = k₁ + k₂ + … Throws OptionError without kernels, or for what is none. */
export const sumKernels = (...kernels: readonly Kernel[]): Kernel => joined('sum', 'sumKernels', kernels);

/** k = k₁·k₂·… Throws OptionError without kernels, or for what is none. */
export const productKernels = (...kernels: readonly Kernel[]): Kernel => joined('product', 'productKernels', kernels);

/** variance·k, the variance a positive number. Throws OptionError. */
export function scaleKernel(kernel: Kernel, variance: number): Kernel {
  requireRole(kernel, 'kernel', 'scaleKernel');
  if (!(typeof variance === 'number' && variance > 0 && variance < Infinity))
    throw new OptionError(`The variance of scaleKernel must be a positive number, not ${describe(variance)}.`, {
      variance,
    });
  const { definition: part } = kernel;
  return composed(
    `${variance}·${inParentheses(kernel)}`,
    { kind: 'scaled', variance, parts: [kernel] },
    part === undefined ? undefined : { family: 'scaled', variance, part },
  );
}

/**
 * Automatic relevance determination: k of points whose coordinate i is divided by lengthScales[i], a positive number in
 * the units of that coordinate: `ard(matern52(1), [0.5, 2, 10])`. Of a composition all parts are meant. `kernelSource`
 * refuses points of another dimension (ShapeError). Throws OptionError for scales that are not positive, ShapeError for
 * what are no numbers.
 */
export function ard(kernel: Kernel, lengthScales: ArrayLike<number>): Kernel {
  requireRole(kernel, 'kernel', 'ard');
  const scales = Array.from(asFloat64(lengthScales, 'lengthScales'));
  if (scales.length === 0) throw new OptionError('ard needs a length scale for each coordinate, not none.');
  const wrong = scales.findIndex((scale) => !(scale > 0 && scale < Infinity));
  if (wrong >= 0)
    throw new OptionError(`lengthScales[${wrong}] must be a positive number, not ${describe(scales[wrong])}.`, {
      option: 'lengthScales',
      index: wrong,
      value: scales[wrong],
    });
  return withScales(kernel, scales);
}

function withScales(kernel: Kernel, lengthScales: readonly number[]): Kernel {
  const { composition, definition: part } = kernel;
  const listed = lengthScales.slice(0, MOST_LISTED).join(', ');
  const more = lengthScales.length > MOST_LISTED ? `, … ${lengthScales.length} in all` : '';
  const name = `${composition === undefined ? kernel.name : inParentheses(kernel)}, ard [${listed}${more}]`;
  const definition: KernelDefinition | undefined =
    part === undefined ? undefined : { family: 'ard', lengthScales, part };
  if (composition !== undefined) {
    const parts = composition.parts.map((one) => withScales(one, lengthScales));
    return composed(name, { ...composition, parts } as Composition, definition);
  }
  return {
    name,
    argument: kernel.argument,
    map: chained(scaleCoordinates(lengthScales), kernel.map),
    radial: kernel.radial,
    definition,
    evaluate: (values, offset, length) => {
      kernel.evaluate(values, offset, length);
    },
  };
}

function joined(kind: 'sum' | 'product', of: string, given: readonly Kernel[]): Kernel {
  if (given.length === 0) throw new OptionError(`${of} needs at least one kernel.`);
  for (const kernel of given) requireRole(kernel, 'kernel', of);
  const parts = [...given];
  if (parts.length === 1) return parts[0];
  const definitions = parts.flatMap(({ definition }) => (definition === undefined ? [] : [definition]));
  return composed(
    parts.map((part) => (kind === 'sum' ? part.name : inParentheses(part))).join(kind === 'sum' ? ' + ' : '·'),
    { kind, parts },
    definitions.length === parts.length ? { family: kind, parts: definitions } : undefined,
  );
}

const inParentheses = ({ name }: Kernel): string => (/^[\w.-]+$/.test(name) ? name : `(${name})`);

function composed(name: string, composition: Composition, definition: KernelDefinition | undefined): Kernel {
  const inputs = inputsOf(composition);
  const evaluate = evaluatorOf(composition, inputs);
  const what = { name, composition, definition, evaluate };
  if (inputs.length > 1) return { ...what, argument: 'several', inputs };
  const [{ argument, map }] = inputs;
  return map === undefined ? { ...what, argument } : { ...what, argument, map };
}

/** The kernels that a composition ends in, from left to right. */
const leavesOf = ({ parts }: Composition): readonly Kernel[] =>
  parts.flatMap((part: Kernel) => (part.composition === undefined ? [part] : leavesOf(part.composition)));

/** Whether it is the constant kernel, which takes any input and so has none of its own beside others. */
const isConstant = (definition: KernelDefinition | undefined): boolean =>
  definition !== undefined &&
  (definition.family === 'constant' || ('lengthScales' in definition && isConstant(definition.part)));

const keyOf = ({ argument, map }: Pick<Kernel, 'argument' | 'map'>): string => `${argument} ${map?.key ?? ''}`;

/** The different inputs of the leaves, in the order in which they are met. */
function inputsOf(composition: Composition): readonly KernelInput[] {
  const leaves = leavesOf(composition);
  const own = leaves.filter(({ definition }) => !isConstant(definition));
  const inputs = new Map<string, KernelInput>();
  for (const { argument, map } of own.length > 0 ? own : leaves.slice(0, 1)) {
    const input = { argument: argument as KernelInput['argument'], map };
    if (!inputs.has(keyOf(input))) inputs.set(keyOf(input), input);
  }
  return [...inputs.values()];
}

/** In place, over chunks. Its scratch is that of one thread. */
function evaluatorOf(composition: Composition, inputs: readonly KernelInput[]): Evaluate {
  const step = stepOf(composition, inputs.map(keyOf));
  const result = new Float64Array(CHUNK);
  return (values, offset, length) => {
    for (let begin = 0; begin < length; begin += CHUNK) {
      const count = Math.min(CHUNK, length - begin);
      step({ values, offset, stride: length, begin, count }, result);
      const first = offset + begin;
      for (let i = 0; i < count; i++) values[first + i] = result[i];
    }
  };
}

function stepOf(composition: Composition, keys: readonly string[]): Step {
  const steps = composition.parts.map((part: Kernel) =>
    part.composition === undefined
      ? leafStep(part, Math.max(0, keys.indexOf(keyOf(part))))
      : stepOf(part.composition, keys),
  );
  if (composition.kind === 'scaled') {
    const { variance } = composition;
    return (blocks, out) => {
      steps[0](blocks, out);
      for (let i = 0; i < blocks.count; i++) out[i] *= variance;
    };
  }
  const other = new Float64Array(CHUNK);
  const add = composition.kind === 'sum';
  return (blocks, out) => {
    const { count } = blocks;
    steps[0](blocks, out);
    for (let k = 1; k < steps.length; k++) {
      steps[k](blocks, other);
      if (add) for (let i = 0; i < count; i++) out[i] += other[i];
      else for (let i = 0; i < count; i++) out[i] *= other[i];
    }
  };
}

/** The values of a kernel that is no composition, from those of its input. */
const leafStep =
  (kernel: Kernel, input: number): Step =>
  ({ values, offset, stride, begin, count }, out) => {
    const first = offset + input * stride + begin;
    for (let i = 0; i < count; i++) out[i] = values[first + i];
    kernel.evaluate(out, 0, count);
  };
