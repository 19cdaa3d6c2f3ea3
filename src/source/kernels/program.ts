/**
 * Kernel programs: a user's function of r as a short list of operations on a stack of blocks.
 * A program is plain data, so workers receive it without the parser that made it; each operation is one loop over a
 * block that stays in the first-level cache, so nothing is interpreted per entry and no code is generated at run time.
 */
import { OptionError } from '../../core/errors.js';
import { exponential } from './exponential.js';

/** One operation; `value` is its constant operand, 0 where it has none. */
export interface Instruction {
  readonly operation: string;
  readonly value: number;
}

/** A kernel function as data. */
export interface KernelProgram {
  /** The expression it was made from. */
  readonly text: string;
  readonly instructions: readonly Instruction[];
}

type Unary = (x: Float64Array, length: number, value: number) => void;
type Binary = (x: Float64Array, y: Float64Array, length: number) => void;

/** A loop that applies a function of one number: for the rarer ones, whose own cost outweighs the call. */
const each =
  (f: (x: number) => number): Unary =>
  (x, n) => {
    for (let i = 0; i < n; i++) x[i] = f(x[i]);
  };

/** x ← f(x) or f(x, constant). */
export const unaryOperations: Readonly<Record<string, Unary>> = {
  negate: (x, n) => {
    for (let i = 0; i < n; i++) x[i] = -x[i];
  },
  shift: (x, n, c) => {
    for (let i = 0; i < n; i++) x[i] += c;
  },
  scale: (x, n, c) => {
    for (let i = 0; i < n; i++) x[i] *= c;
  },
  divideBy: (x, n, c) => {
    for (let i = 0; i < n; i++) x[i] /= c;
  },
  /** c/x */
  reciprocal: (x, n, c) => {
    for (let i = 0; i < n; i++) x[i] = c / x[i];
  },
  square: (x, n) => {
    for (let i = 0; i < n; i++) x[i] *= x[i];
  },
  cube: (x, n) => {
    for (let i = 0; i < n; i++) x[i] *= x[i] * x[i];
  },
  fourthPower: (x, n) => {
    for (let i = 0; i < n; i++) {
      const s = x[i] * x[i];
      x[i] = s * s;
    }
  },
  /** x^c */
  power: (x, n, c) => {
    for (let i = 0; i < n; i++) x[i] = x[i] ** c;
  },
  sqrt: (x, n) => {
    for (let i = 0; i < n; i++) x[i] = Math.sqrt(x[i]);
  },
  exp: (x, n) => {
    exponential(x, 0, n);
  },
  abs: each((x) => Math.abs(x)),
  sign: each((x) => Math.sign(x)),
  cbrt: each((x) => Math.cbrt(x)),
  log: each((x) => Math.log(x)),
  log2: each((x) => Math.log2(x)),
  log10: each((x) => Math.log10(x)),
  log1p: each((x) => Math.log1p(x)),
  expm1: each((x) => Math.expm1(x)),
  sin: each((x) => Math.sin(x)),
  cos: each((x) => Math.cos(x)),
  tan: each((x) => Math.tan(x)),
  asin: each((x) => Math.asin(x)),
  acos: each((x) => Math.acos(x)),
  atan: each((x) => Math.atan(x)),
  sinh: each((x) => Math.sinh(x)),
  cosh: each((x) => Math.cosh(x)),
  tanh: each((x) => Math.tanh(x)),
  floor: each((x) => Math.floor(x)),
  ceil: each((x) => Math.ceil(x)),
};

/** x ← x ∘ y; comparisons give 1 or 0. */
export const binaryOperations: Readonly<Record<string, Binary>> = {
  add: (x, y, n) => {
    for (let i = 0; i < n; i++) x[i] += y[i];
  },
  subtract: (x, y, n) => {
    for (let i = 0; i < n; i++) x[i] -= y[i];
  },
  multiply: (x, y, n) => {
    for (let i = 0; i < n; i++) x[i] *= y[i];
  },
  divide: (x, y, n) => {
    for (let i = 0; i < n; i++) x[i] /= y[i];
  },
  pow: (x, y, n) => {
    for (let i = 0; i < n; i++) x[i] = x[i] ** y[i];
  },
  min: (x, y, n) => {
    for (let i = 0; i < n; i++) x[i] = Math.min(x[i], y[i]);
  },
  max: (x, y, n) => {
    for (let i = 0; i < n; i++) x[i] = Math.max(x[i], y[i]);
  },
  smaller: (x, y, n) => {
    for (let i = 0; i < n; i++) x[i] = x[i] < y[i] ? 1 : 0;
  },
  smallerEq: (x, y, n) => {
    for (let i = 0; i < n; i++) x[i] = x[i] <= y[i] ? 1 : 0;
  },
  larger: (x, y, n) => {
    for (let i = 0; i < n; i++) x[i] = x[i] > y[i] ? 1 : 0;
  },
  largerEq: (x, y, n) => {
    for (let i = 0; i < n; i++) x[i] = x[i] >= y[i] ? 1 : 0;
  },
  equal: (x, y, n) => {
    for (let i = 0; i < n; i++) x[i] = x[i] === y[i] ? 1 : 0;
  },
  unequal: (x, y, n) => {
    for (let i = 0; i < n; i++) x[i] = x[i] !== y[i] ? 1 : 0;
  },
};

const CHUNK = 512;

type Step = (stack: readonly Float64Array[], top: number, length: number) => number;

function stepOf({ operation, value }: Instruction): Step {
  if (operation === 'constant')
    return (stack, top, n) => {
      stack[top + 1].fill(value, 0, n);
      return top + 1;
    };
  if (operation === 'select') {
    return (stack, top, n) => {
      const condition = stack[top - 2];
      const yes = stack[top - 1];
      const no = stack[top];
      for (let i = 0; i < n; i++) condition[i] = condition[i] !== 0 ? yes[i] : no[i];
      return top - 2;
    };
  }
  if (Object.hasOwn(unaryOperations, operation)) {
    const f = unaryOperations[operation];
    return (stack, top, n) => {
      f(stack[top], n, value);
      return top;
    };
  }
  if (Object.hasOwn(binaryOperations, operation)) {
    const f = binaryOperations[operation];
    return (stack, top, n) => {
      f(stack[top - 1], stack[top], n);
      return top - 1;
    };
  }
  throw new OptionError(`A kernel program holds an operation that is not known: ${operation}.`, { operation });
}

const stackChange = (operation: string): number =>
  operation === 'r' || operation === 'squaredR' || operation === 'constant'
    ? 1
    : operation === 'select'
      ? -2
      : Object.hasOwn(binaryOperations, operation)
        ? -1
        : 0;

/** The program as a function of blocks of squared distances, in place. */
export function runProgram(program: KernelProgram): (values: Float64Array, offset: number, length: number) => void {
  let height = 0;
  let highest = 0;
  for (const { operation } of program.instructions) {
    height += stackChange(operation);
    highest = Math.max(highest, height);
    if (height < 1)
      throw new OptionError(`The kernel program of "${program.text}" takes more operands than it has.`, {
        text: program.text,
      });
  }
  if (height !== 1)
    throw new OptionError(`The kernel program of "${program.text}" leaves ${height} values instead of one.`, {
      text: program.text,
    });
  const stack = Array.from({ length: highest }, () => new Float64Array(CHUNK));
  // Reads of r are steps that need the block's arguments, which the stack does not hold.
  const steps = program.instructions.map((instruction) =>
    instruction.operation === 'r' ? 'r' : instruction.operation === 'squaredR' ? 'squaredR' : stepOf(instruction),
  );
  return (values, offset, length) => {
    for (let begin = offset; begin < offset + length; begin += CHUNK) {
      const count = Math.min(CHUNK, offset + length - begin);
      let top = -1;
      for (const step of steps) {
        if (typeof step === 'function') {
          top = step(stack, top, count);
        } else {
          const x = stack[++top];
          if (step === 'r') for (let i = 0; i < count; i++) x[i] = Math.sqrt(values[begin + i]);
          else for (let i = 0; i < count; i++) x[i] = values[begin + i];
        }
      }
      const result = stack[0];
      for (let i = 0; i < count; i++) values[begin + i] = result[i];
    }
  };
}
