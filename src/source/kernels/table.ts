/**
 * The families of kernels by name, and the kernels they make. The command's options, the error texts and the types
 * follow from this table: a new family is one file and its entry here (CONTRIBUTING.md). Definitions and names: C. E.
 * Rasmussen, C. K. I. Williams, Gaussian Processes for Machine Learning, MIT Press, 2006, §4.2 (there the bandwidth h
 * is the length scale ℓ).
 */
import { quoted } from '../../core/kind.js';
import { OptionError } from '../../core/errors.js';
import { ard, productKernels, scaleKernel, sumKernels } from './compose.js';
import { constant } from './constant.js';
import { cosine } from './cosine.js';
import { gaussian } from './gaussian.js';
import { inverseMultiquadric } from './inverse-multiquadric.js';
import type { Kernel, KernelDefinition, KernelForm, KernelParameters } from './kernel.js';
import { laplace } from './laplace.js';
import { matern32 } from './matern32.js';
import { matern52 } from './matern52.js';
import { periodic } from './periodic.js';
import { polynomial } from './polynomial.js';
import { runProgram, type KernelProgram } from './program.js';
import { rationalQuadratic } from './rational-quadratic.js';

const TABLE = {
  gaussian,
  laplace,
  matern32,
  matern52,
  imq: inverseMultiquadric,
  rationalQuadratic,
  periodic,
  constant,
  polynomial,
  cosine,
} satisfies Readonly<Record<string, KernelForm>>;

/** The name of a kernel. */
export type KernelFamily = keyof typeof TABLE;
/** The kernels by name. */
export const KERNEL_TABLE: Readonly<Record<KernelFamily, KernelForm>> = TABLE;
/** A family and values of its parameters. */
export type NamedKernel = { readonly family: KernelFamily } & KernelParameters;
/** The kernels with a name, as the command takes them. Any other string is an expression in r. */
export const kernelFamilies = Object.keys(TABLE) as readonly KernelFamily[];

/** The families that take a parameter. */
export const familiesWith = (parameter: keyof KernelParameters): readonly KernelFamily[] =>
  kernelFamilies.filter((family) => parameter in KERNEL_TABLE[family].parameters);

const OTHER_NAMES: Readonly<Record<string, string>> = {
  rbf: 'gaussian',
  se: 'gaussian',
  squaredexponential: 'gaussian',
  exponentiatedquadratic: 'gaussian',
  sqexp: 'gaussian',
  gauss: 'gaussian',
  exponential: 'laplace',
  exp: 'laplace',
  ou: 'laplace',
  laplacian: 'laplace',
  matern12: 'laplace',
  matern: 'matern32 or matern52',
  rq: 'rationalQuadratic',
  inversemultiquadric: 'imq',
  linear: 'polynomial of degree 1',
  poly: 'polynomial',
};

/** ' rbf is gaussian here.': what a kernel that other libraries call so is called; '' for any other name. */
export function otherKernelName(name: string): string {
  const key = name.replace(/[^a-z0-9]/gi, '').toLowerCase();
  return Object.hasOwn(OTHER_NAMES, key) ? ` ${name} is ${OTHER_NAMES[key]} here.` : '';
}

/** The kernel of a family. Throws OptionError for a name that is not in the table and for wrong parameters. */
function kernelWith(family: string, given: KernelParameters): Kernel {
  if (!Object.hasOwn(TABLE, family))
    throw new OptionError(
      `Unknown kernel ${quoted(family)}: choose one of ${kernelFamilies.join(', ')}.${otherKernelName(String(family))}`,
      { family },
    );
  const { argument, parameters, map, evaluator, radial } = KERNEL_TABLE[family as KernelFamily];
  const values: Partial<Record<keyof KernelParameters, number>> = {};
  let name = family;
  for (const [key, { fallback, text, require }] of entriesOf(parameters)) {
    const value = given[key] === undefined ? fallback! : given[key];
    require(value);
    values[key] = value;
    name += `, ${text(value)}`;
  }
  const checked = values as Record<keyof KernelParameters, number>;
  const definition = { family, ...values };
  const kernel = { name, argument, definition, evaluate: evaluator(checked), radial: radial?.(checked) };
  return map === undefined ? kernel : { ...kernel, map: map(checked) };
}

const entriesOf = Object.entries as <K extends string, T>(object: Readonly<Partial<Record<K, T>>>) => readonly [K, T][];

/** A kernel given by a program over r (made from a user's expression by `expressionKernel`). */
export function programKernel(program: KernelProgram): Kernel {
  const evaluate = runProgram(program);
  return { name: program.text, argument: 'squaredDistance', definition: { family: 'expression', program }, evaluate };
}

/** The kernel a definition describes. Throws OptionError for an unknown family and for wrong parameters. */
export function kernelFromDefinition(definition: KernelDefinition): Kernel {
  if ('program' in definition) return programKernel(definition.program);
  if ('parts' in definition) {
    const parts = definition.parts.map(kernelFromDefinition);
    return definition.family === 'sum' ? sumKernels(...parts) : productKernels(...parts);
  }
  if (!('part' in definition)) return kernelWith(definition.family, definition);
  const part = kernelFromDefinition(definition.part);
  return 'variance' in definition ? scaleKernel(part, definition.variance) : ard(part, definition.lengthScales);
}

/**
 * The kernel of a family by its name; parameters that the family does not take are ignored: `degree` concerns the
 * polynomial kernel, the cosine kernel has no bandwidth. Those that are no argument have their defaults: α = 1, period
 * 1; `rationalQuadratic` and `periodic` take others. Throws OptionError.
 */
export const kernelOfFamily = (family: KernelFamily, bandwidth: number, degree?: number): Kernel =>
  kernelWith(family, { bandwidth, degree });
