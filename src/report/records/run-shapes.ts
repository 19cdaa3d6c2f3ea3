/**
 * What records of each kind must hold for their pictures; whatever else they hold is for people to read.
 */
import { COMPRESSION_PHASES } from '../../experiment/record.js';
import { MEMORY_PARTS } from '../../hierarchical/matrix/memory.js';
import { blockShape } from './block-shape.js';
import * as is from './shape.js';
import type { Shape } from './shape.js';

/** The same shape under each of these names. */
const each = (names: readonly string[], shape: Shape): Record<string, Shape> =>
  Object.fromEntries(names.map((name) => [name, shape]));

const INPUT = is.members({ name: is.text, size: is.amount });
/** A measured error; NaN and ∞ are null in JSON. */
const MEASURED = { ...each(['relative', 'low', 'high'], is.measured), exact: is.flag, columns: is.amount };
const ERROR = is.members({ ...MEASURED, tolerance: is.amount });

/** When workers were busy; records of earlier versions do not tell. */
const TIMELINE = is.optional(
  is.list(is.members({ phase: is.text, workers: is.list(is.nullable(is.list(is.amount, 3)), 1) })),
);

/** Of `hmatrix compress`. */
export const COMPRESSION = is.members({
  input: INPUT,
  error: ERROR,
  seconds: is.members(
    Object.fromEntries(
      COMPRESSION_PHASES.map(([phase]) => [phase, phase === 'choose' ? is.optional(is.amount) : is.amount]),
    ),
  ),
  ranks: is.list(is.members({ level: is.whole(0), max: is.amount, mean: is.amount })),
  memory: is.members({
    bytes: is.amount,
    share: is.amount,
    parts: is.members(each(Object.keys(MEMORY_PARTS), is.amount)),
  }),
  blocks: is.optional(blockShape),
  timeline: TIMELINE,
});

/** How residuals fell: of a record, and of what `solve` returns. */
export const CONVERGENCE = { history: is.list(is.measured, 1), tolerance: is.amount };

/** Of `hmatrix solve`. */
export const SOLVE = is.members({
  ...CONVERGENCE,
  input: INPUT,
  // Earlier versions did not tell these two.
  direct: is.optional(is.flag),
  seconds: is.members({
    ...each(['operator', 'choose', 'compress', 'factor', 'solve'], is.amount),
    load: is.optional(is.amount),
  }),
  memory: is.members(each(['preconditioner', 'workspace'], is.amount)),
  preconditioner: is.members({ name: is.text }),
  timeline: TIMELINE,
});

/** As many items in one list as in another, of the same object. */
const asMany =
  (one: string, other: string): Shape =>
  (value, _at, refuse) => {
    const lists = value as Readonly<Record<string, readonly unknown[]>>;
    const [given, expected] = [lists[one].length, lists[other].length];
    if (given !== expected) refuse(`${one} has ${given} items, ${other} ${expected}`);
  };

/** Of `hmatrix eigs`. */
export const EIGS = is.all(
  is.members({
    input: INPUT,
    values: is.list(is.measured, 1),
    residuals: is.list(is.measured),
    which: is.text,
    valuesOf: is.text,
  }),
  asMany('residuals', 'values'),
);

/** Of `hmatrix factor` and `hmatrix logdet`. */
export const FACTOR = is.members({
  input: INPUT,
  seconds: is.members(each(['load', 'compress', 'error', 'factor', 'solve', 'exact'], is.amount)),
  memory: is.members(each(['matrix', 'factors'], is.amount)),
  logdet: is.measured,
  timeline: TIMELINE,
  exact: is.nullable(is.members(each(['value', 'lower', 'upper'], is.measured))),
  error: is.nullable(ERROR),
});

/** Of `hmatrix tune`. */
export const TUNE = is.members({
  input: INPUT,
  chosen: is.members({
    leafSize: is.amount,
    objective: is.text,
    tried: is.list(is.members(each(['leafSize', 'bytes', 'product', 'factor'], is.amount)), 1),
    measured: is.list(is.members(each(['size', 'rank'], is.amount))),
  }),
});

/** Of `hmatrix table` and `hmatrix demo`. */
export const TABLE = is.members({
  network: is.text,
  size: is.amount,
  bias: is.flag,
  budgets: is.members(each(['low', 'high'], is.amount)),
  rows: is.list(
    is.members({
      method: is.text,
      share: is.amount,
      budget: is.amount,
      error: is.members(MEASURED),
      seconds: is.members({ build: is.amount }),
    }),
    1,
  ),
});

const SWEEP = {
  size: is.amount,
  tolerance: is.amount,
  rows: is.list(
    is.members({
      preconditioner: is.text,
      relativeShift: is.amount,
      outcome: is.text,
      iterations: is.amount,
      seconds: is.members({ total: is.amount }),
    }),
    1,
  ),
};

/** Of `hmatrix table --preconditioners`. */
export const PRECONDITIONERS = is.members({
  sweep: is.list(is.members({ matrix: is.text, ...SWEEP })),
  networks: is.list(is.members({ network: is.text, ...SWEEP })),
});

/** Where a training run stood: of records, and of what `train` returns. */
export const EVALUATIONS = is.list(
  is.members({
    ...each(['samples', 'seconds'], is.amount),
    ...each(
      [
        ...['loss', 'trainingLoss', 'trainingAccuracy'],
        ...['validationLoss', 'validationAccuracy', 'averagedLoss', 'averagedAccuracy'],
      ],
      is.measured,
    ),
  }),
  1,
);

/** Samples of an epoch divide: there is at least one. */
const TASK = is.members({ network: is.text, training: is.whole(1) });

/** Of `hmatrix train`. */
export const TRAINING = is.members({
  task: TASK,
  optimizer: is.members({ name: is.text }),
  evaluations: EVALUATIONS,
  targets: is.members(each(['loss', 'accuracy'], is.nullable(is.number))),
});

/** Of `hmatrix compare`. */
export const COMPARISON = is.members({
  task: TASK,
  targets: is.members({
    values: is.list(is.number),
    measure: is.oneOf(['loss', 'accuracy']),
    of: is.oneOf(['validation', 'training']),
  }),
  rows: is.list(
    is.members({
      optimizer: is.text,
      settings: is.object,
      seconds: is.amount,
      reached: is.flag,
      preparation: is.amount,
      evaluations: EVALUATIONS,
    }),
    1,
  ),
  best: is.list(is.members({ optimizer: is.text, settings: is.object }), 1),
});
