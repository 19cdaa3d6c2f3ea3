/**
 * What a kernel is: a function that turns squared distances, inner products or cosines into entries, in place on a
 * block of arguments; what a family of them is, one for each value of its parameters (table.ts lists them); and what
 * kernels made of kernels are (compose.ts makes them).
 */
import { OptionError } from '../../core/errors.js';
import { describe, kindOf } from '../../core/kind.js';
import { radialInPlace, type RadialFunction } from '../../dense/radial.js';
import type { PointMap } from './point-map.js';
import type { KernelProgram } from './program.js';

/** What a kernel is a function of: ‖x − y‖², x·y, or x·y/(‖x‖‖y‖). */
export type KernelArgument = 'squaredDistance' | 'innerProduct' | 'cosine';

/** values[offset … offset + length) ← k(values[…]), in place; an entry's result depends on that entry alone. */
export type Evaluate = (values: Float64Array, offset: number, length: number) => void;

/** Values of a family's parameters. */
export interface KernelParameters {
  /** Length scale h of the points. */
  readonly bandwidth?: number | undefined;
  readonly degree?: number | undefined;
  /** Exponent α of the rational quadratic kernel. */
  readonly alpha?: number | undefined;
  /** Period p of the coordinates. */
  readonly period?: number | undefined;
}

/**
 * A kernel as data, by which a worker builds its own copy: a family's name with its parameters, a program, or kernels
 * and what is made of them.
 */
export type KernelDefinition =
  | ({ readonly family: string } & KernelParameters)
  | { readonly family: 'expression'; readonly program: KernelProgram }
  | { readonly family: 'sum' | 'product'; readonly parts: readonly KernelDefinition[] }
  | { readonly family: 'scaled'; readonly variance: number; readonly part: KernelDefinition }
  | { readonly family: 'ard'; readonly lengthScales: readonly number[]; readonly part: KernelDefinition };

/** What a kernel is evaluated at: an argument, of points that may be mapped first. */
export interface KernelInput {
  readonly argument: KernelArgument;
  /** Absent where the argument is that of the points themselves. */
  readonly map?: PointMap | undefined;
}

/** How a kernel is made of others. */
export type Composition =
  | { readonly kind: 'sum' | 'product'; readonly parts: readonly Kernel[] }
  | { readonly kind: 'scaled'; readonly variance: number; readonly parts: readonly [Kernel] };

/** A positive definite function k(x, y), as `kernelSource` takes it. */
export interface Kernel {
  /** For people: "gaussian, h = 2". */
  readonly name: string;
  /** 'several' of a composition whose parts have different inputs: those are listed in `inputs`. */
  readonly argument: KernelArgument | 'several';
  /** What is done to the points before the argument is formed; absent where nothing is. */
  readonly map?: PointMap | undefined;
  /** Only with argument 'several': the different ones of the parts. */
  readonly inputs?: readonly KernelInput[] | undefined;
  /** What it is made of, where it is a sum, a product or a multiple. */
  readonly composition?: Composition | undefined;
  /** With argument 'squaredDistance': the function that it is, where dense/radial.ts has it. */
  readonly radial?: RadialFunction | undefined;
  /** Absent for a kernel that only this thread can evaluate. */
  readonly definition?: KernelDefinition | undefined;
  /**
   * values[offset … offset + length) ← k(values[…]), in place; an entry's result depends on that entry alone. With
   * argument 'several' the `length` values of input g begin at offset + g·length, and the results replace those of the
   * first.
   */
  evaluate(values: Float64Array, offset: number, length: number): void;
}

/** One parameter of a family. */
export interface KernelParameter {
  /** Where it may be left out. */
  readonly fallback?: number | undefined;
  /** For people: "h = 2". */
  text(value: number): string;
  /** Throws OptionError for a value that the family cannot take. */
  require(value: number): void;
}

/** A family of kernels, as table.ts lists it under its name. */
export interface KernelForm {
  /** k in words of the field, with r = ‖x − y‖ and the bandwidth h. */
  readonly formula: string;
  readonly argument: KernelArgument;
  /** The parameters it takes; values of others are ignored. */
  readonly parameters: Readonly<Partial<Record<keyof KernelParameters, KernelParameter>>>;
  /** What is done to the points first, for parameters which have been checked; absent where nothing is. */
  readonly map?: ((parameters: Readonly<Record<keyof KernelParameters, number>>) => PointMap) | undefined;
  /** k for these parameters, which have been checked. Its scratch belongs to one thread. */
  readonly evaluator: (parameters: Readonly<Record<keyof KernelParameters, number>>) => Evaluate;
  /**
   * Statements that set `target` to k of the argument v, as kernel-text.ts has them; `number` gives the name of a
   * number. Absent where `radial` tells it.
   */
  readonly text?:
    | ((
        parameters: Readonly<Record<keyof KernelParameters, number>>,
        target: string,
        number: (value: number) => string,
      ) => string)
    | undefined;
  /** The function of the squared distance that k is, for these parameters, where dense/radial.ts has it. */
  readonly radial?: ((parameters: Readonly<Record<keyof KernelParameters, number>>) => RadialFunction) | undefined;
}

/** A family whose kernels are functions of the squared distance that dense/radial.ts has. */
export function radialForm(
  formula: string,
  radial: (parameters: Readonly<Record<keyof KernelParameters, number>>) => RadialFunction,
): KernelForm {
  const evaluator: KernelForm['evaluator'] = (parameters) => {
    const chosen = radial(parameters);
    return (values, offset, length) => {
      radialInPlace(chosen, values, offset, length);
    };
  };
  return { formula, argument: 'squaredDistance', parameters: BANDWIDTH, evaluator, radial };
}

/** The least positive number of full precision. */
const LEAST_NORMAL = 2 ** -1022;

/** What was meant by a bandwidth that is no number. */
function insteadOf(h: unknown): string {
  const kind = kindOf(h);
  if (kind === 'numbers') return ': a length scale for each coordinate goes with ard, ard(matern52(1), [0.5, 2])';
  if (kind === 'object')
    return ': kernels take numbers, matern52(0.5); length scales of coordinates go with ard, ard(kernel, [0.5, 2])';
  return kind === 'points' ? ': medianBandwidth(points, seed) finds one' : '';
}

/**
 * Throws OptionError unless h is a positive number whose square is one of full precision (1.5e-154 ≤ h ≤ 1.3e154):
 * points come as squared distances, in which nothing shorter or longer can be told.
 */
export function requireBandwidth(h: number): void {
  if (!(Number.isFinite(h) && h > 0))
    throw new OptionError(`The bandwidth must be a positive number, not ${describe(h)}${insteadOf(h)}.`, {
      option: 'bandwidth',
      bandwidth: typeof h === 'number' ? h : undefined,
    });
  if (!(h * h >= LEAST_NORMAL && Number.isFinite(h * h))) {
    throw new OptionError(
      `The bandwidth ${h} is too ${h < 1 ? 'small' : 'large'}: its square ${h < 1 ? 'underflows' : 'overflows'}. ` +
        'Give one from 1.5e-154 to 1.3e154, and scale the points as well.',
      { option: 'bandwidth', bandwidth: h },
    );
  }
}

/** The parameters of a kernel that has a bandwidth and no other. */
export const BANDWIDTH = {
  bandwidth: { text: (h: number): string => `h = ${h}`, require: requireBandwidth },
} as const satisfies KernelForm['parameters'];
