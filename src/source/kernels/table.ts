/**
 * Kernel functions: what turns squared distances, inner products or cosines into entries.
 * A kernel is an object that works in place on a block of arguments; which argument it wants is a property of it, never
 * a flag in a loop. Definitions and names: C. E. Rasmussen, C. K. I. Williams, Gaussian Processes for Machine Learning,
 * MIT Press, 2006, §4.2 (there the bandwidth h is the length scale ℓ).
 */
import { OptionError } from '../../core/errors.js';
import { exponential } from './exponential.js';
import { runProgram, type KernelProgram } from './program.js';

/** What a kernel is a function of: ‖x − y‖², x·y, or x·y/(‖x‖‖y‖). */
export type KernelArgument = 'squaredDistance' | 'innerProduct' | 'cosine';

/** A kernel as data, by which a worker builds its own copy. */
export type KernelDefinition =
  | { readonly family: 'gaussian' | 'laplace' | 'matern32' | 'matern52' | 'imq'; readonly bandwidth: number }
  | { readonly family: 'polynomial'; readonly bandwidth: number; readonly degree: number }
  | { readonly family: 'cosine' }
  | { readonly family: 'expression'; readonly program: KernelProgram };

export interface Kernel {
  /** For people: "gaussian, h = 2". */
  readonly name: string;
  readonly argument: KernelArgument;
  /** Absent for a kernel that only this thread can evaluate. */
  readonly definition?: KernelDefinition | undefined;
  /** values[offset … offset + length) ← k(values[…]), in place; an entry's result depends on that entry alone. */
  evaluate(values: Float64Array, offset: number, length: number): void;
}

export type BandwidthFamily = 'gaussian' | 'laplace' | 'matern32' | 'matern52' | 'imq';

/** The kernels with a name, as the command takes them. Any other string is an expression in r. */
export const kernelFamilies = ['gaussian', 'laplace', 'matern32', 'matern52', 'imq', 'polynomial', 'cosine'] as const;
export type KernelFamily = (typeof kernelFamilies)[number];

/** The least positive number of full precision. */
const LEAST_NORMAL = 2 ** -1022;

/**
 * Throws OptionError unless h is a positive number whose square is one of full precision (1.5e-154 ≤ h ≤ 1.3e154):
 * points come as squared distances, in which nothing shorter or longer can be told.
 */
export function requireBandwidth(h: number): void {
  if (!(Number.isFinite(h) && h > 0))
    throw new OptionError(`The bandwidth must be a positive number, not ${h}.`, { option: 'bandwidth', bandwidth: h });
  if (!(h * h >= LEAST_NORMAL && Number.isFinite(h * h))) {
    throw new OptionError(
      `The bandwidth ${h} is too ${h < 1 ? 'small' : 'large'}: its square ${h < 1 ? 'underflows' : 'overflows'}. ` +
        'Give one from 1.5e-154 to 1.3e154, and scale the points as well.',
      { option: 'bandwidth', bandwidth: h },
    );
  }
}

/** k = exp(−r²/(2h²)). */
export function gaussian(h: number): Kernel {
  requireBandwidth(h);
  const factor = -0.5 / (h * h);
  return {
    name: `gaussian, h = ${h}`,
    argument: 'squaredDistance',
    definition: { family: 'gaussian', bandwidth: h },
    evaluate(values, offset, length) {
      for (let i = offset; i < offset + length; i++) values[i] *= factor;
      exponential(values, offset, length);
    },
  };
}

/** k = exp(−r/h), the exponential covariance. */
export function laplace(h: number): Kernel {
  requireBandwidth(h);
  const factor = -1 / h;
  return {
    name: `laplace, h = ${h}`,
    argument: 'squaredDistance',
    definition: { family: 'laplace', bandwidth: h },
    evaluate(values, offset, length) {
      for (let i = offset; i < offset + length; i++) values[i] = factor * Math.sqrt(values[i]);
      exponential(values, offset, length);
    },
  };
}

/** Entries a Matérn kernel takes at a time: argument and exponential side by side stay in the first-level cache. */
const chunk = 1024;

/** k = (1 + s)·exp(−s), s = √3·r/h. */
export function matern32(h: number): Kernel {
  requireBandwidth(h);
  const factor = Math.sqrt(3) / h;
  const power = new Float64Array(chunk);
  return {
    name: `matern32, h = ${h}`,
    argument: 'squaredDistance',
    definition: { family: 'matern32', bandwidth: h },
    evaluate(values, offset, length) {
      for (let begin = offset; begin < offset + length; begin += chunk) {
        const count = Math.min(chunk, offset + length - begin);
        for (let i = 0; i < count; i++) {
          const s = factor * Math.sqrt(values[begin + i]);
          values[begin + i] = 1 + s;
          power[i] = -s;
        }
        exponential(power, 0, count);
        for (let i = 0; i < count; i++) values[begin + i] *= power[i];
      }
    },
  };
}

/** exp(−s) is exactly 0 from about 745 on; s² of a larger s could be infinite, and 0 × ∞ is not a number. */
const LARGEST_S = 1000;

/** k = (1 + s + s²/3)·exp(−s), s = √5·r/h. */
export function matern52(h: number): Kernel {
  requireBandwidth(h);
  const factor = Math.sqrt(5) / h;
  const power = new Float64Array(chunk);
  return {
    name: `matern52, h = ${h}`,
    argument: 'squaredDistance',
    definition: { family: 'matern52', bandwidth: h },
    evaluate(values, offset, length) {
      for (let begin = offset; begin < offset + length; begin += chunk) {
        const count = Math.min(chunk, offset + length - begin);
        for (let i = 0; i < count; i++) {
          const s = Math.min(factor * Math.sqrt(values[begin + i]), LARGEST_S);
          values[begin + i] = 1 + s * (1 + s / 3);
          power[i] = -s;
        }
        exponential(power, 0, count);
        for (let i = 0; i < count; i++) values[begin + i] *= power[i];
      }
    },
  };
}

/** Inverse multiquadric, k = 1/√(1 + (r/h)²). */
export function inverseMultiquadric(h: number): Kernel {
  requireBandwidth(h);
  const factor = 1 / (h * h);
  return {
    name: `imq, h = ${h}`,
    argument: 'squaredDistance',
    definition: { family: 'imq', bandwidth: h },
    evaluate(values, offset, length) {
      for (let i = offset; i < offset + length; i++) values[i] = 1 / Math.sqrt(1 + factor * values[i]);
    },
  };
}

/** k = (x·y/h² + 1)^p, p a positive whole number. */
export function polynomial(h: number, degree = 2): Kernel {
  requireBandwidth(h);
  if (!Number.isInteger(degree) || degree < 1 || degree > 64)
    throw new OptionError(`The polynomial kernel's degree must be a whole number from 1 to 64, not ${degree}.`, {
      option: 'degree',
      degree,
    });
  const factor = 1 / (h * h);
  return {
    name: `polynomial, h = ${h}, degree ${degree}`,
    argument: 'innerProduct',
    definition: { family: 'polynomial', bandwidth: h, degree },
    evaluate(values, offset, length) {
      for (let i = offset; i < offset + length; i++) {
        const base = factor * values[i] + 1;
        let power = base;
        for (let e = 1; e < degree; e++) power *= base;
        values[i] = power;
      }
    },
  };
}

/** k = x·y/(‖x‖‖y‖). */
export function cosine(): Kernel {
  return {
    name: 'cosine',
    argument: 'cosine',
    definition: { family: 'cosine' },
    evaluate() {
      /* the argument is the value */
    },
  };
}

/** A kernel given by a program over r (made from a user's expression by `expressionKernel`). */
export function programKernel(program: KernelProgram): Kernel {
  const evaluate = runProgram(program);
  return { name: program.text, argument: 'squaredDistance', definition: { family: 'expression', program }, evaluate };
}

/** The kernel a definition describes. */
export function kernelFromDefinition(definition: KernelDefinition): Kernel {
  switch (definition.family) {
    case 'gaussian':
      return gaussian(definition.bandwidth);
    case 'laplace':
      return laplace(definition.bandwidth);
    case 'matern32':
      return matern32(definition.bandwidth);
    case 'matern52':
      return matern52(definition.bandwidth);
    case 'imq':
      return inverseMultiquadric(definition.bandwidth);
    case 'polynomial':
      return polynomial(definition.bandwidth, definition.degree);
    case 'cosine':
      return cosine();
    case 'expression':
      return programKernel(definition.program);
  }
}

/** The kernel of a family by its name; `degree` concerns the polynomial kernel, the cosine kernel has no bandwidth. */
export function kernelOfFamily(family: KernelFamily, bandwidth: number, degree = 2): Kernel {
  if (family === 'cosine') return cosine();
  if (family === 'polynomial') return polynomial(bandwidth, degree);
  return kernelFromDefinition({ family, bandwidth });
}
