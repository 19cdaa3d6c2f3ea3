/**
 * Kernels from a user's expression in r, such as "exp(-r^2/2)".
 * mathjs parses; the syntax tree is translated once into a kernel program (program.ts), constants folded and r^2
 * read from the squared distance without a square root. mathjs is loaded only here, when an expression is used.
 */
import type { MathNode } from 'mathjs';
import { OptionError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import { excerpt } from '../../io/excerpt.js';
import { requireBandwidth, type Kernel } from './kernel.js';
import { binaryOperations, unaryOperations, type Instruction, type KernelProgram } from './program.js';
import { programKernel } from './table.js';

/**
 * A translated part: a number, or code that leaves one value on the stack. Code has one owner, which goes on writing at
 * its end.
 */
type Part = number | Instruction[];

/** Characters of an expression: a kernel that takes more is an entry source of its own. */
const MOST_CHARACTERS = 10_000;
/** Parts within parts, sums and products from left to right aside. */
const MOST_DEPTH = 200;

/** The fields of mathjs's nodes that are read here, by node type. */
interface Syntax {
  readonly type: string;
  readonly value?: unknown | undefined;
  readonly name?: string | undefined;
  readonly fn?: string | Syntax | undefined;
  readonly args?: readonly Syntax[] | undefined;
  readonly content?: Syntax | undefined;
  readonly condition?: Syntax | undefined;
  readonly trueExpr?: Syntax | undefined;
  readonly falseExpr?: Syntax | undefined;
}

const constants: Readonly<Record<string, number>> = { pi: Math.PI, e: Math.E, tau: 2 * Math.PI };
const FUNCTIONS = [
  'exp',
  'sqrt',
  'abs',
  'sign',
  'cbrt',
  'square',
  'cube',
  'log',
  'log2',
  'log10',
  'log1p',
  'expm1',
  'sin',
  'cos',
  'tan',
  'asin',
  'acos',
  'atan',
  'sinh',
  'cosh',
  'tanh',
  'floor',
  'ceil',
];

const instruction = (operation: string, value = 0): Instruction => ({ operation, value });
const code = (part: Part): Instruction[] => (typeof part === 'number' ? [instruction('constant', part)] : part);

/**
 * Runs an operation on constants by the loops the program itself uses, so that folding never changes a value's meaning.
 */
function foldUnary(operation: string, x: number, value = 0): number {
  const cell = Float64Array.of(x);
  unaryOperations[operation](cell, 1, value);
  return cell[0];
}

function unary(operation: string, x: Part, value = 0): Part {
  if (typeof x === 'number') return foldUnary(operation, x, value);
  x.push(instruction(operation, value));
  return x;
}

/** The code of x, then that of the others, then `operation`. */
function joined(operation: string, x: Part, ...others: readonly Part[]): Part {
  const all = code(x);
  for (const other of others) for (const one of code(other)) all.push(one);
  all.push(instruction(operation));
  return all;
}

function powerOf(x: Part, exponent: number): Part {
  switch (exponent) {
    case 1:
      return x;
    case 2:
      return unary('square', x);
    case 3:
      return unary('cube', x);
    case 4:
      return unary('fourthPower', x);
    case 0.5:
      return unary('sqrt', x);
    case -1:
      return unary('reciprocal', x, 1);
    case -2:
      return unary('reciprocal', unary('square', x), 1);
    case -0.5:
      return unary('reciprocal', unary('sqrt', x), 1);
    default:
      return unary('power', x, exponent);
  }
}

function binary(operation: string, x: Part, y: Part): Part {
  if (typeof x === 'number' && typeof y === 'number') {
    const cell = Float64Array.of(x);
    binaryOperations[operation](cell, Float64Array.of(y), 1);
    return cell[0];
  }
  if (typeof y === 'number') {
    if (operation === 'add') return unary('shift', x, y);
    if (operation === 'subtract') return unary('shift', x, -y);
    if (operation === 'multiply') return unary('scale', x, y);
    if (operation === 'divide') return unary('divideBy', x, y);
    if (operation === 'pow') return powerOf(x, y);
  }
  if (typeof x === 'number') {
    if (operation === 'add') return unary('shift', y, x);
    if (operation === 'subtract') return unary('shift', unary('negate', y), x);
    if (operation === 'multiply') return unary('scale', y, x);
    if (operation === 'divide') return unary('reciprocal', y, x);
  }
  return joined(operation, x, y);
}

class Translator {
  readonly #text: string;
  readonly #bandwidth: number | undefined;
  #depth = 0;

  constructor(text: string, bandwidth: number | undefined) {
    this.#text = text;
    this.#bandwidth = bandwidth;
  }

  fail(reason: string): never {
    throw new OptionError(`The kernel expression "${excerpt(this.#text)}" ${reason}.`, {
      option: 'kernel',
      expression: this.#text,
    });
  }

  lacksBandwidth(): never {
    this.fail(`uses the bandwidth h, but none is given: expressionKernel('${excerpt(this.#text)}', 0.5)`);
  }

  translate(node: Syntax): Part {
    if (++this.#depth > MOST_DEPTH)
      this.fail(`is nested too deeply: at most ${MOST_DEPTH} parts within each other are read`);
    // a + b − c …, however long, is a chain of nodes each of which is the first argument of the next: walked, not
    // descended.
    const chain: Syntax[] = [];
    let first = node;
    for (
      ;
      first.type === 'OperatorNode' && first.fn !== 'pow' && Object.hasOwn(binaryOperations, first.fn as string);
      first = first.args![0]
    )
      chain.push(first);
    let part = chain.length === 0 ? this.#one(node) : this.translate(first);
    for (const { fn, args } of chain.reverse())
      for (const arg of args!.slice(1)) part = binary(fn as string, part, this.translate(arg));
    this.#depth--;
    return part;
  }

  #one(node: Syntax): Part {
    switch (node.type) {
      case 'ParenthesisNode':
        return this.translate(node.content!);
      case 'ConstantNode':
        return typeof node.value === 'number'
          ? node.value
          : typeof node.value === 'boolean'
            ? Number(node.value)
            : this.fail(`holds ${JSON.stringify(node.value)}, which is not a number`);
      case 'SymbolNode':
        return this.#symbol(node.name!);
      case 'OperatorNode':
        return this.#operator(node.fn as string, node.args!);
      case 'FunctionNode':
        return this.#call(node.fn as Syntax, node.args!);
      case 'ConditionalNode':
        return this.#select(node);
      default:
        return this.fail(
          `holds what a function of r cannot be made of (${node.type.replace(/Node$/, '').toLowerCase()})`,
        );
    }
  }

  #symbol(name: string): Part {
    if (name === 'r') return [instruction('r')];
    if (name === 'h') return this.#bandwidth ?? this.lacksBandwidth();
    if (Object.hasOwn(constants, name)) return constants[name];
    return this.fail(`uses an unknown symbol, ${name}: it may use r (the distance), h (the bandwidth), pi, e and tau`);
  }

  #operator(name: string, args: readonly Syntax[]): Part {
    if (name === 'unaryMinus') return unary('negate', this.translate(args[0]));
    if (name === 'unaryPlus') return this.translate(args[0]);
    if (name === 'pow') {
      const exponent = this.translate(args[1]);
      // r^2, r^4, …: powers of the squared distance, which is at hand without a square root.
      if (isR(args[0]) && typeof exponent === 'number' && exponent !== 0 && exponent % 2 === 0)
        return powerOf([instruction('squaredR')], exponent / 2);
      return binary('pow', this.translate(args[0]), exponent);
    }
    return this.fail(`uses an operator that is not supported, ${name}`);
  }

  #call(fn: Syntax, args: readonly Syntax[]): Part {
    if (fn.type !== 'SymbolNode') this.fail('calls a part of something: functions stand alone, such as exp(-r)');
    const name = fn.name!;
    if (name === 'min' || name === 'max') {
      if (args.length < 1) this.fail(`calls ${name} without arguments`);
      return args.slice(1).reduce<Part>((so, arg) => binary(name, so, this.translate(arg)), this.translate(args[0]));
    }
    if (name === 'pow') {
      if (args.length !== 2) this.fail(`calls pow with ${args.length} arguments instead of two`);
      return this.#operator('pow', args);
    }
    if (!FUNCTIONS.includes(name))
      this.fail(`calls an unknown function, ${name}: there are ${[...FUNCTIONS, 'pow', 'min', 'max'].join(', ')}`);
    if (args.length !== 1) this.fail(`calls ${name} with ${args.length} arguments instead of one`);
    if (name === 'square') return this.#power(args[0], 2);
    if (name === 'cube') return this.#power(args[0], 3);
    return unary(name, this.translate(args[0]));
  }

  #power(base: Syntax, exponent: number): Part {
    return isR(base) && exponent === 2 ? [instruction('squaredR')] : powerOf(this.translate(base), exponent);
  }

  #select(node: Syntax): Part {
    const condition = this.translate(node.condition!);
    const yes = this.translate(node.trueExpr!);
    const no = this.translate(node.falseExpr!);
    if (typeof condition === 'number') return condition !== 0 ? yes : no;
    return joined('select', condition, yes, no);
  }
}

const isR = (node: Syntax): boolean =>
  (node.type === 'SymbolNode' && node.name === 'r') || (node.type === 'ParenthesisNode' && isR(node.content!));

function parsed(parse: (text: string) => MathNode, text: string, translator: Translator): Syntax {
  try {
    return parse(text) as unknown as Syntax;
  } catch (error) {
    if (error instanceof RangeError)
      return translator.fail(`is nested too deeply: at most ${MOST_DEPTH} parts within each other are read`);
    return translator.fail(`does not parse: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * The kernel k(r) of an expression in the distance r, in mathjs's syntax; h in it is the bandwidth, if one is given.
 * Numbers, + − * / ^, comparisons, c ? a : b, and the usual functions of one number may be used.
 * What comes is a promise, to be awaited: the parser is loaded with the first expression. Throws OptionError, at the
 * call, for a text that is none and an h without a bandwidth; and the promise ends with one where the text does not
 * parse, is longer than 10,000 characters or nested beyond 200 parts, uses unknown names, or is not finite at r = 0
 * (the diagonal).
 *
 * ```js
 * const kernel = await expressionKernel('exp(-r/h)', 0.5);
 * ```
 */
export function expressionKernel(text: string, bandwidth?: number): Promise<Kernel> {
  if (typeof text !== 'string')
    throw new OptionError(`expressionKernel takes a text in r, such as 'exp(-r)', not ${describe(text)}.`);
  if (bandwidth !== undefined) requireBandwidth(bandwidth);
  const translator = new Translator(text, bandwidth);
  if (bandwidth === undefined && text.length <= MOST_CHARACTERS && usesH(text)) translator.lacksBandwidth();
  return translated(text, translator);
}

/** Whether there is a symbol h, as far as can be told without the parser. */
const usesH = (text: string): boolean => text.match(/[A-Za-z_$][\w$]*/g)?.includes('h') ?? false;

async function translated(text: string, translator: Translator): Promise<Kernel> {
  if (text.length > MOST_CHARACTERS)
    translator.fail(
      `has ${text.length} characters; at most ${MOST_CHARACTERS} are read. Compute the entries in a source of your own`,
    );
  const { parse } = await import('mathjs/number');
  const program: KernelProgram = { text, instructions: code(translator.translate(parsed(parse, text, translator))) };
  const kernel = programKernel(program);
  const atZero = new Float64Array(1);
  kernel.evaluate(atZero, 0, 1);
  if (!Number.isFinite(atZero[0]))
    translator.fail(`is ${atZero[0]} at r = 0, where the diagonal lies; a kernel must be finite there`);
  if (atZero[0] < 0)
    translator.fail(`is negative at r = 0 (${atZero[0]}), so its matrix cannot be positive semidefinite`);
  return kernel;
}
