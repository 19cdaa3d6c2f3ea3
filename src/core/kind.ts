/**
 * What a value is, for errors that name what was given.
 * Told by members, so that this layer knows no class of a higher one; copies of the library in one process
 * recognise each other's objects.
 */
import { OptionError } from './errors.js';

/** What a value can be told to be by its members, as `kindOf` tells it. */
export type Kind =
  | 'operator'
  | 'curvature operator'
  | 'hierarchical matrix'
  | 'Kronecker matrix'
  | 'Kronecker sum'
  | 'factorization'
  | 'source'
  | 'points'
  | 'matrix'
  | 'ml-matrix'
  | 'numbers'
  | 'kernel'
  | 'tree'
  | 'team'
  | 'communicator'
  | 'device'
  | 'operator on a device'
  | 'model'
  | 'network'
  | 'weights'
  | 'data set'
  | 'result'
  | 'function'
  | 'promise'
  | 'text'
  | 'object'
  | 'other';

type Members = Readonly<Record<string, unknown>>;

const isFunction = (value: unknown): boolean => typeof value === 'function';

function kindOfOperator(o: Members): Kind {
  if (isFunction(o['estimateError']) && 'report' in o) return 'hierarchical matrix';
  if (isFunction(o['refactor']) && isFunction(o['solve'])) return 'factorization';
  if ('model' in o && 'capacity' in o) return 'curvature operator';
  if (!('report' in o && isFunction(o['memory']))) return 'operator';
  return isFunction(o['trace']) ? 'Kronecker sum' : 'Kronecker matrix';
}

/**
 * The kind of any value; 'result' is an object whose member `operator` or `matrix` is an operator, as of `approximate`
 * or `compressHessian`.
 */
export function kindOf(value: unknown): Kind {
  if (typeof value === 'function') return 'function';
  if (typeof value === 'string') return 'text';
  if (typeof value !== 'object' || value === null) return 'other';
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))) return 'numbers';
  const o = value as Members;
  if (isFunction(o['then'])) return 'promise';
  if (isFunction(o['reserve']) && isFunction(o['launch'])) return 'operator on a device';
  if (isFunction(o['applyUnchecked'])) return kindOfOperator(o);
  // Before sources: it has methods entries and diagonal.
  if ('rows' in o && 'columns' in o && isFunction(o['get'])) return 'ml-matrix';
  if (isFunction(o['entries']) && isFunction(o['diagonal'])) return 'source';
  if ('data' in o && 'rows' in o && 'cols' in o) return 'matrix';
  if ('dimension' in o && 'coordinates' in o) return 'points';
  if ('network' in o && 'parameters' in o) return 'model';
  if ('order' in o && 'begin' in o && 'end' in o) return 'tree';
  if (isFunction(o['evaluate']) && 'argument' in o) return 'kernel';
  if (isFunction(o['batch']) && 'samples' in o) return 'data set';
  if ('layers' in o && 'parameters' in o) return typeof o['parameters'] === 'number' ? 'network' : 'weights';
  if (isFunction(o['runSync']) && isFunction(o['share'])) return 'team';
  if (isFunction(o['prepare']) && isFunction(o['multiply'])) return 'device';
  if (isFunction(o['allreduce']) && isFunction(o['startSend'])) return 'communicator';
  return memberOperator(o) === undefined ? 'object' : 'result';
}

/** The member of a result that is an operator. */
function memberOperator(o: Members): 'operator' | 'matrix' | undefined {
  return (['operator', 'matrix'] as const).find((name) =>
    isFunction((o[name] as Members | undefined)?.['applyUnchecked']),
  );
}

const article = (noun: string): string => `${/^[aeio]/i.test(noun) ? 'an' : 'a'} ${noun}`;
const shortened = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text);

function describeObject(o: Members): string {
  const name = (o.constructor as { name?: unknown | undefined } | undefined)?.name;
  if (typeof name === 'string' && name !== '' && name !== 'Object') return article(name);
  const keys = Object.keys(o);
  if (keys.length === 0) return 'an object without members';
  return `an object with ${keys.slice(0, 4).join(', ')}${keys.length > 4 ? ', …' : ''}`;
}

/** A value in words: "a Float64Array of 3 numbers", "an operator (500 × 500)", "a function". */
export function describe(value: unknown): string {
  const kind = kindOf(value);
  const o = value as Members;
  const shape = (): string => `(${String(o['rows'])} × ${String(o['cols'] ?? o['columns'])})`;
  switch (kind) {
    case 'other':
      if (value === null || value === undefined || typeof value === 'number') return String(value);
      return `the ${typeof value} ${String(value)}`;
    case 'text':
      return `the text ${JSON.stringify(shortened(value as string))}`;
    case 'numbers': {
      const length = (value as ArrayLike<unknown>).length;
      if (!Array.isArray(value)) return `${article((value as object).constructor.name)} of ${length} numbers`;
      return Array.isArray(value[0]) ? `an array of ${length} arrays` : `an array of ${length}`;
    }
    case 'curvature operator':
      return `a curvature operator (${String(o['kind'])}) ${shape()}`;
    case 'operator':
    case 'hierarchical matrix':
    case 'factorization':
    case 'matrix':
      return `${article(kind)} ${shape()}`;
    case 'Kronecker matrix':
      return `a hierarchical matrix in the Kronecker eigenbasis ${shape()}`;
    case 'Kronecker sum':
      return `a sum of Kronecker products ${shape()}`;
    case 'ml-matrix':
      return `an ml-matrix Matrix ${shape()}`;
    case 'source':
      return `a source of entries (${String(o['size'])} rows)`;
    case 'points':
      return 'points';
    case 'tree':
      return 'a cluster tree';
    case 'weights':
      return 'weights as readWeights reads them';
    case 'result':
      return `${describeObject(o)}, whose .${memberOperator(o)!} is an operator`;
    case 'object':
      return describeObject(o);
    default:
      return article(kind);
  }
}

/** A name in quotes; what is no text, and so no name, in words. */
export const quoted = (value: unknown): string =>
  typeof value === 'string' ? `"${shortened(value)}"` : describe(value);

/** What an argument is to be. */
export type Role =
  | 'operator'
  | 'source'
  | 'hierarchical matrix'
  | 'Kronecker matrix'
  | 'Kronecker sum'
  | 'saved'
  | 'kernel'
  | 'points'
  | 'model'
  | 'network'
  | 'data set'
  | 'tree'
  | 'team'
  | 'communicator'
  | 'device'
  | 'operator on a device'
  | 'path'
  | 'function';

/** How a role is called, the kinds that can play it, and for others the call that leads there. */
interface Part {
  readonly name: string;
  readonly kinds: readonly Kind[];
  readonly instead: Readonly<Partial<Record<Kind, string>>>;
}

const COMPRESSED = 'it is compressed already';
const STORED_OPERATOR = 'denseOperator(matrix, true) is the operator of a stored symmetric matrix';
const STORED_SOURCE = 'denseSource(matrix) is the source of a stored matrix';
const STORED_COMPRESSED = 'compress(denseSource(matrix)) makes one';
const SAVED_FIRST = 'the path comes first: save(path, matrix)';
const PRESERVED = "kroneckerHierarchical(model, { preserve: 'positive-definite' }) makes one";

const ROLES: Readonly<Record<Role, Part>> = {
  operator: {
    name: 'a linear operator (rows, cols, symmetric, applyUnchecked)',
    kinds: [
      'operator',
      'curvature operator',
      'hierarchical matrix',
      'Kronecker matrix',
      'Kronecker sum',
      'factorization',
    ],
    instead: {
      source: 'entryOperator(source) multiplies with its entries, compress(source) makes a hierarchical matrix of them',
      matrix: STORED_OPERATOR,
      numbers: `${STORED_OPERATOR}, matrixOver(numbers, n, n) is the matrix`,
      'ml-matrix': 'compress(denseSource(matrix)) makes an operator of it',
      model: 'gaussNewton(model), hessian(model) and kfac(model) are operators of a network',
      points: 'compress(kernelSource(points, kernel)) makes an operator of them',
    },
  },
  source: {
    name: 'a source of entries (size, entries, diagonal)',
    kinds: ['source'],
    instead: {
      operator:
        'an operator has products, no entries: compressOperator(operator, tree, options) compresses it from those',
      'curvature operator':
        "gaussNewtonSource(model) gives the entries of a network's matrix, " +
        'compressHessian(model) compresses it, compressOperator(operator, tree, options) does from products alone',
      'hierarchical matrix': COMPRESSED,
      'Kronecker matrix': COMPRESSED,
      'Kronecker sum': 'its entries are matrix.source()',
      factorization: 'it is an inverse, without entries',
      matrix: STORED_SOURCE,
      'ml-matrix': STORED_SOURCE,
      numbers: STORED_SOURCE,
      points: 'kernelSource(points, kernel) is the source of a kernel matrix',
      model: 'gaussNewtonSource(model) gives the entries of its Gauss–Newton matrix',
    },
  },
  'hierarchical matrix': {
    name: 'a hierarchical matrix (of compress, compressOperator, compressHessian or load)',
    kinds: ['hierarchical matrix'],
    instead: {
      operator: 'compress it first: compressOperator(operator, tree, options)',
      'curvature operator':
        'compress it first, by compressHessian(model) or compressOperator(operator, tree, options); ' +
        'solve(operator, b, { shift }) needs no factorization of yours',
      'Kronecker matrix': 'factorKronecker(matrix, { shift }) is its factorization',
      'Kronecker sum': 'it has products and entries, and no factorization: compress(matrix.source()) makes one',
      factorization: 'it is factored already',
      source: 'compress(source) makes one',
      model: 'compressHessian(model) makes one',
      matrix: STORED_COMPRESSED,
      'ml-matrix': STORED_COMPRESSED,
      numbers: STORED_COMPRESSED,
      text: 'load(path) reads one from a file',
    },
  },
  'Kronecker matrix': {
    name: 'a matrix that kroneckerHierarchical made',
    kinds: ['Kronecker matrix'],
    instead: {
      'Kronecker sum': PRESERVED,
      'hierarchical matrix': 'factor(matrix, { shift }) is its factorization',
      model: PRESERVED,
      'curvature operator': PRESERVED,
    },
  },
  'Kronecker sum': {
    name: 'a matrix that kroneckerSum made',
    kinds: ['Kronecker sum'],
    instead: {
      model: 'kroneckerSum(model, { share }) makes one',
      'curvature operator': 'kroneckerSum(model, { share }) makes one',
    },
  },
  saved: {
    name:
      'a matrix that compress, kroneckerHierarchical, kroneckerSum, nystrom or randomizedSvd made, or what factor or ' +
      'factorKronecker returned',
    kinds: ['hierarchical matrix', 'Kronecker matrix', 'Kronecker sum', 'factorization'],
    instead: {
      operator: 'compressOperator(operator, tree, options) makes a hierarchical matrix of its products',
      'curvature operator': 'compressHessian(model) makes a hierarchical matrix of it',
      source: 'compress(source) makes one',
      matrix: 'writeNpyMatrix(path, matrix) writes numbers as they are',
      model: 'compressHessian(model) makes a hierarchical matrix of it',
    },
  },
  kernel: {
    name: 'a kernel: gaussian(h), matern32(h), expressionKernel(text), …',
    kinds: ['kernel'],
    instead: {
      function:
        'call it where it makes one (gaussian(0.5)); a function of r of your own goes in as text, ' +
        "expressionKernel('exp(-r)'), or as { name, argument, evaluate }, which works in place on a block of arguments",
      text: 'kernelOfFamily(name, bandwidth) makes one of a name, expressionKernel(text) of an expression in r',
    },
  },
  points: {
    name: 'points: { dimension, count, coordinates }',
    kinds: ['points'],
    instead: {
      numbers: 'point i is coordinates[i·d … i·d + d): { dimension: d, count: n, coordinates: numbers }',
      matrix: 'the columns of a d × N matrix are points: { dimension: rows, count: cols, coordinates: data }',
    },
  },
  model: {
    name: 'a model: { network, parameters, loss, data }',
    kinds: ['model'],
    instead: {
      network: 'a model is a network with its parameters, loss and data',
      'curvature operator': 'its .model is the model',
    },
  },
  network: {
    name: 'a network (of defineNetwork)',
    kinds: ['network'],
    instead: {
      model: 'its .network is the network',
      weights: 'defineNetwork({ widths: weights.widths, bias: weights.bias, activation }) makes their network',
    },
  },
  'data set': {
    name: 'a data set: { samples, inputs, outputs, batch }',
    kinds: ['data set'],
    instead: {
      matrix: 'memoryDataSet(inputs, targets) makes one of two matrices',
      numbers: 'memoryDataSet(matrixOver(inputs, …), matrixOver(targets, …)) makes one',
    },
  },
  tree: {
    name: 'a cluster tree (of buildClusterTree, structuralTree or hessianTree)',
    kinds: ['tree'],
    instead: { object: 'pass the tree itself: hessianTree returns it as .tree' },
  },
  team: { name: 'a team (of openTeam)', kinds: ['team'], instead: {} },
  communicator: { name: 'a communicator (of openMpi)', kinds: ['communicator'], instead: {} },
  device: {
    name: 'a device (of openDevice)',
    kinds: ['device'],
    instead: { text: 'openDevice(name) opens it', team: "openDevice('cpu', {}, { team }) makes one of it" },
  },
  'operator on a device': {
    name: 'a matrix or a factorization on a device (of matrix.to or factorization.to)',
    kinds: ['operator on a device'],
    instead: {
      'hierarchical matrix': 'await matrix.to(device) puts it there',
      factorization: 'await factorization.to(device) puts it there',
      numbers: 'numbers stay here: pass the matrix that was put there',
    },
  },
  path: {
    name: 'a path',
    kinds: ['text'],
    instead: {
      'hierarchical matrix': SAVED_FIRST,
      'Kronecker matrix': SAVED_FIRST,
      'Kronecker sum': SAVED_FIRST,
      factorization: SAVED_FIRST,
      matrix: 'the path comes first: writeNpyMatrix(path, matrix)',
      network: 'the path comes first: writeWeights(path, network, parameters)',
    },
  },
  function: { name: 'a function', kinds: ['function'], instead: {} },
};

/**
 * Throws OptionError unless `value` can play the role in `of`, a function as its caller writes it: the message names
 * what was given, what is taken, and the call that fits.
 */
export function requireRole(value: unknown, role: Role, of: string): void {
  const kind = kindOf(value);
  const { kinds, name, instead } = ROLES[role];
  if (kinds.includes(kind)) return;
  let hint = instead[kind];
  if (kind === 'promise') hint = 'await it first';
  else if (kind === 'result') hint = `pass its .${memberOperator(value as Members)!}`;
  const advice = hint === undefined ? '' : `: ${hint}`;
  throw new OptionError(`${of} takes ${name}, not ${describe(value)}${advice}.`, { of, expected: role, given: kind });
}
