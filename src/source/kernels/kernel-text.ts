/**
 * Kernels as text, for cards: statements in C, as far as WGSL has the same (device/portable-kernel.ts says what that
 * is), that set `value` from the arguments a0, a1, … of the kernel's inputs. Numbers of the kernel, as its bandwidth,
 * are parameters of the text: kernels of one form have one text.
 */
import { OptionError } from '../../core/errors.js';
import type { RadialForm } from '../../dense/radial.js';
import type { Kernel, KernelInput, KernelParameters } from './kernel.js';
import { KERNEL_TABLE, type KernelFamily } from './table.js';
import type { Instruction } from './program.js';

/** A kernel's text, and its numbers, which the text calls p0, p1, … */
export interface KernelText {
  readonly text: string;
  readonly numbers: readonly number[];
}

/** Those that take a factor f of the squared distance v, or of its root. */
const RADIAL: Readonly<Record<RadialForm, (f: string) => string>> = {
  gaussian: (f) => `exp(${f} * v)`,
  exponential: (f) => `exp(${f} * sqrt(v))`,
  matern32: (f) => `(1.0 - ${f} * sqrt(v)) * exp(${f} * sqrt(v))`,
  matern52: (f) => `(1.0 - ${f} * sqrt(v) + ${f} * ${f} * v / 3.0) * exp(${f} * sqrt(v))`,
  inverseMultiquadric: (f) => `1.0 / sqrt(1.0 + ${f} * v)`,
};

/** Operations of a program: of x, of x and a constant c, and of x and y. */
const UNARY: Readonly<Record<string, string>> = {
  negate: '-x',
  shift: 'x + c',
  scale: 'x * c',
  divideBy: 'x / c',
  reciprocal: 'c / x',
  square: 'x * x',
  cube: 'x * x * x',
  fourthPower: 'x * x * (x * x)',
  sqrt: 'sqrt(x)',
  exp: 'exp(x)',
  abs: 'abs(x)',
  log: 'log(x)',
  log2: 'log(x) * 1.4426950408889634',
  log10: 'log(x) * 0.4342944819032518',
  tanh: 'tanh(min(max(x, -20.0), 20.0))',
  sinh: '0.5 * (exp(x) - exp(-x))',
  cosh: '0.5 * (exp(x) + exp(-x))',
  floor: 'floor(x)',
  ceil: '-floor(-x)',
  sign: 'select(0.0, 1.0, x > 0.0) - select(0.0, 1.0, x < 0.0)',
};
const BINARY: Readonly<Record<string, string>> = {
  add: 'x + y',
  subtract: 'x - y',
  multiply: 'x * y',
  divide: 'x / y',
  min: 'min(x, y)',
  max: 'max(x, y)',
  smaller: 'select(0.0, 1.0, x < y)',
  smallerEq: 'select(0.0, 1.0, x <= y)',
  larger: 'select(0.0, 1.0, x > y)',
  largerEq: 'select(0.0, 1.0, x >= y)',
  equal: 'select(0.0, 1.0, x == y)',
  unequal: 'select(1.0, 0.0, x == y)',
};

/** What stands for 1/0, which cards need not have: float32 holds it. */
const HUGE = '3.0e38';

/** x to the power c, of x below 0 too where c is whole. */
function powerText(c: number): string {
  if (c === 0) return '1.0';
  const atZero = c < 0 ? HUGE : '0.0';
  if (!Number.isInteger(c)) return `select(exp(c * log(x)), ${atZero}, x == 0.0)`;
  const magnitude = `select(exp(c * log(abs(x))), ${atZero}, x == 0.0)`;
  return c % 2 === 0 ? magnitude : `${magnitude} * select(1.0, -1.0, x < 0.0)`;
}

class Writer {
  readonly numbers: number[] = [];
  readonly #root: Kernel;
  readonly #otherwise: string;
  readonly #keys: readonly string[];
  #variables = 0;

  constructor(kernel: Kernel, otherwise: string) {
    this.#root = kernel;
    this.#otherwise = otherwise;
    this.#keys = (kernel.inputs ?? [kernel as KernelInput]).map(keyOf);
  }

  /** Statements that set `target`. */
  write(kernel: Kernel, target: string): string {
    const { composition } = kernel;
    if (composition === undefined) {
      const input = Math.max(0, this.#keys.indexOf(keyOf(kernel)));
      return `{ real v = a${input}; ${this.#leaf(kernel, target)} }`;
    }
    const [first, ...others] = composition.parts as readonly Kernel[];
    const begin = this.write(first, target);
    if (composition.kind === 'scaled') return `${begin} ${target} = ${this.#number(composition.variance)} * ${target};`;
    const sign = composition.kind === 'sum' ? '+' : '*';
    return [
      begin,
      ...others.map((part) => {
        const other = `t${this.#variables++}`;
        return `real ${other} = 0.0; ${this.write(part, other)} ${target} = ${target} ${sign} ${other};`;
      }),
    ].join('\n');
  }

  #number(value: number): string {
    return `p${this.numbers.push(value) - 1}`;
  }

  #leaf({ radial, definition }: Kernel, target: string): string {
    if (radial !== undefined) return `${target} = ${RADIAL[radial.form](this.#number(radial.factor))};`;
    let own = definition;
    // Points are scaled before they come here.
    while (own !== undefined && 'lengthScales' in own) own = own.part;
    if (own === undefined || 'part' in own || 'parts' in own) return this.#refuse('is a function of this program');
    if ('program' in own) return this.#program(own.program.instructions, target);
    const { text } = KERNEL_TABLE[own.family as KernelFamily];
    if (text === undefined) return this.#refuse(`is of the family ${own.family}`);
    return text(own as Readonly<Record<keyof KernelParameters, number>>, target, (value) => this.#number(value));
  }

  /** A program's stack as variables. */
  #program(instructions: readonly Instruction[], target: string): string {
    const stack: string[] = [];
    const statements = instructions.map(({ operation, value }) => {
      let text: string;
      if (operation === 'r') text = 'sqrt(v)';
      else if (operation === 'squaredR') text = 'v';
      else if (operation === 'constant') text = this.#number(value);
      else if (operation === 'select') {
        const [no, yes, condition] = [stack.pop()!, stack.pop()!, stack.pop()!];
        text = `select(${yes}, ${no}, ${condition} == 0.0)`;
      } else if (Object.hasOwn(BINARY, operation)) {
        const [y, x] = [stack.pop()!, stack.pop()!];
        text = BINARY[operation].replace(/\b[xy]\b/g, (name) => (name === 'x' ? x : y));
      } else if (operation === 'power' || Object.hasOwn(UNARY, operation)) {
        const x = stack.pop()!;
        const form = operation === 'power' ? powerText(value) : UNARY[operation];
        const c = /\bc\b/.test(form) ? this.#number(value) : '';
        text = form.replace(/\b[xc]\b/g, (name) => (name === 'x' ? x : c));
      } else return this.#refuse(`takes ${operation}`);
      const name = `t${this.#variables++}`;
      stack.push(name);
      return `real ${name} = ${text};`;
    });
    return `${statements.join(' ')} ${target} = ${stack[0]};`;
  }

  #refuse(why: string): never {
    throw new OptionError(
      `The entries of the kernel ${this.#root.name} cannot be evaluated on a card: it ${why}, which cards do not ` +
        `have. ${this.#otherwise}`,
      { kernel: this.#root.name },
    );
  }
}

const keyOf = ({ argument, map }: Pick<Kernel, 'argument' | 'map'>): string => `${argument} ${map?.key ?? ''}`;

/** The text of a kernel. Throws OptionError for a kernel that has none, which says what to do `otherwise`. */
export function kernelText(kernel: Kernel, otherwise: string): KernelText {
  const writer = new Writer(kernel, otherwise);
  const text = writer.write(kernel, 'value');
  return { text, numbers: writer.numbers };
}
