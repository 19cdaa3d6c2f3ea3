/**
 * What the tables of docs/benchmarks.md call each case, and the choice of cases by name or by that label.
 */
import { NETWORKS } from '../src/experiment/preconditioner-plan.js';
import { CHOOSE_CASES } from './choose-cases.js';
import { COVERAGE_CASES } from './coverage-cases.js';
import { SCALING_CASES } from './scaling-cases.js';
import { CASES, IMAGES, type BenchCase } from './cases.js';
import { FACTORIZATION_CASES, type FactorizationCase } from './factorization-cases.js';
import { GRAPH_CASES } from './graph-cases.js';
import { HESSIAN_CASES, type HessianCase } from './hessian-cases.js';
import { KRONECKER_CASES, type KroneckerCase } from './kronecker-cases.js';
import { LAYER_HESSIAN_CASES } from './layer-hessian-cases.js';
import { TRAINING_CASES } from './training-cases.js';
import { LEAF_CASES } from './leaf-cases.js';
import { SCRIPT_CASES } from './script-cases.js';
import { TAPE_CASES } from './tape-cases.js';
import { TOLERANCE_CASES } from './tolerance-cases.js';
import { PRECONDITIONER_CASES, type PreconditionerCase } from './preconditioners-cases.js';

export const digits = (value: number, count = 2): string => Number(value.toPrecision(count)).toString();
const ofSize = (size: number): string => `N = ${size.toLocaleString('en')}`;

/** `images`: what the images are called, where the case is one of images. */
export function compressionLabel({ input, options, vectors }: BenchCase, images: string): string {
  const size = ofSize(input.size);
  const width = vectors === 64 ? '' : `, ${vectors} vector${vectors === 1 ? '' : 's'}`;
  if (input.kind === 'named') return `${input.matrix}, ${size}, m = s = ${options.leafSize}, tol ${options.tolerance}`;
  if (input.kind === 'images') return `${images}, ${size}, d = ${input.dimension}, tol ${options.tolerance}`;
  const budget = 100 * (options.budget ?? 0);
  return `Gaussian ${input.dimension}-D, ${size}, h = ${input.bandwidth}, budget ${budget} %${width}`;
}

export function factorizationLabel({
  name,
  size,
  dimension,
  bandwidth,
  shift,
  options,
}: Omit<FactorizationCase, 'dense'>): string {
  const kernel = `Gaussian ${dimension}-D, ${ofSize(size)}, h = ${digits(bandwidth)}`;
  const accuracy = options.tolerance === 0 ? '' : `, tol ${Number(options.tolerance).toExponential(0)}`;
  const format = name.includes('line') ? `, ${options.format?.toUpperCase()}` : '';
  return `${kernel}, m = ${options.leafSize}, s ≤ ${options.maxRank}${accuracy}, λ = ${digits(shift)}${format}`;
}

/** The beginning of the heading above a network's table. */
export const hessianLabel = ({
  widths,
  activation,
  loss,
}: Pick<HessianCase, 'widths' | 'activation' | 'loss'>): string => `${widths.join('-')}, ${activation}, ${loss}`;

/** The first cell of a Kronecker sum's rows. */
export const kroneckerLabel = ({ widths, activation, loss, bias, samples }: KroneckerCase): string =>
  `${widths.join('-')} ${activation} ${loss}${bias ? ' biases' : ''} n = ${samples.toLocaleString('en')}`;

export function preconditionerLabel({ matrix, network }: PreconditionerCase): string {
  if (matrix !== undefined) return `${matrix.name}, ${ofSize(matrix.size)}`;
  const { widths, activation, loss } = NETWORKS[network!];
  return `${widths.join('-')}, ${[activation].flat().join(', ')}, ${loss}`;
}

/** A case as it can be chosen; one of images has a label for each kind of them. */
export interface Choice {
  readonly name: string;
  readonly labels: readonly string[];
}

/** Every case that `npm run bench` measures. */
export const CHOICES: readonly Choice[] = [
  ...CASES.map((one) => ({
    name: one.name,
    labels: [...new Set(Object.values(IMAGES).map((images) => compressionLabel(one, images)))],
  })),
  ...FACTORIZATION_CASES.map((one) => ({ name: one.name, labels: [factorizationLabel(one)] })),
  ...HESSIAN_CASES.map((one) => ({ name: one.name, labels: [hessianLabel(one)] })),
  ...LAYER_HESSIAN_CASES.map(({ name }) => ({ name, labels: [] })),
  ...KRONECKER_CASES.map((one) => ({ name: one.name, labels: [kroneckerLabel(one)] })),
  ...PRECONDITIONER_CASES.map((one) => ({ name: one.name, labels: [preconditionerLabel(one)] })),
  ...TRAINING_CASES.map(({ name, label }) => ({ name, labels: [label] })),
  ...SCALING_CASES.map(({ name, size }) => ({ name, labels: [`Matérn 3/2 in the unit square, ${ofSize(size)}`] })),
  ...GRAPH_CASES.map(({ name, label }) => ({ name, labels: [label] })),
  ...COVERAGE_CASES.map(({ name }) => ({ name, labels: [] })),
  ...TOLERANCE_CASES.map(({ name }) => ({ name, labels: [] })),
  ...LEAF_CASES.map(({ name }) => ({ name, labels: [] })),
  ...CHOOSE_CASES.map(({ name }) => ({ name, labels: [] })),
  ...TAPE_CASES.map(({ name }) => ({ name, labels: [] })),
  ...SCRIPT_CASES.map(({ name, label }) => ({ name, labels: [label] })),
];

/** As typed or copied: without the marks of bold text, whatever the spaces and the case of letters. */
const normalized = (text: string): string => text.replaceAll('*', '').replace(/\s+/g, ' ').trim().toLowerCase();

/**
 * The names of the cases that `only` chooses, all without it: those it is the name or the label of, as a table shows
 * it; else those that have it in name or label, or whose label it begins with, as the heading of a network's table
 * does. Throws RangeError, with all names and labels, where it chooses none.
 */
export function choose(only: string | undefined): Set<string> {
  const text = normalized(only ?? '');
  const those = (fits: (label: string) => boolean): string[] =>
    CHOICES.filter(({ name, labels }) => [name, ...labels].some((label) => fits(normalized(label)))).map(
      ({ name }) => name,
    );
  if (only === undefined) return new Set(those(() => true));
  const exact = those((label) => label === text);
  const chosen =
    exact.length > 0 || text === '' ? exact : those((label) => label.includes(text) || text.startsWith(`${label},`));
  if (chosen.length === 0) {
    const width = Math.max(...CHOICES.map(({ name }) => name.length));
    const lines = CHOICES.map(({ name, labels }) => `  ${name.padEnd(width)}  ${labels.join(' / ')}`);
    throw new RangeError(`No case has "${only}" in its name or label. There are:\n${lines.join('\n')}`);
  }
  return new Set(chosen);
}
