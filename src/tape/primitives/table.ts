/**
 * The primitives by name.
 */
import type { Node } from '../node.js';
import type { Primitive } from '../primitive.js';
import { BILINEAR } from './bilinear.js';
import { INTO_LAST_ROW, LAST_ROW } from './biases.js';
import { ELEMENTWISE_FUNCTION } from './elementwise.js';
import { MAXIMUM, PICK, PUT_BACK } from './maximum.js';
import { NORMALIZE, NORMALIZE_TANGENT, RECIPROCAL_DEVIATION } from './normalize.js';
import { ADD_COLUMNS_AT, COLUMNS_AT, FLATTEN, PLACE, RESHAPE, ROWS_OF, UNFLATTEN } from './rearrange.js';
import { LOG_SUM_EXP, SOFTMAX } from './softmax.js';
import { GATHER, SPREAD } from './spread.js';
import { SUM } from './sum.js';
import { HIDE_KEYS, ONE_HOT, PRESENT } from './tokens.js';

/** Numbers that the machine finds where they are: nothing to compute. */
const LEAF: Primitive = { pushforward: () => null, pullback: () => null, run: () => undefined };

const PRIMITIVES: Readonly<Record<string, Primitive>> = {
  leaf: LEAF,
  sum: SUM,
  bilinear: BILINEAR,
  elementwise: ELEMENTWISE_FUNCTION,
  lastRow: LAST_ROW,
  intoLastRow: INTO_LAST_ROW,
  spread: SPREAD,
  gather: GATHER,
  softmax: SOFTMAX,
  logSumExp: LOG_SUM_EXP,
  reciprocalDeviation: RECIPROCAL_DEVIATION,
  normalize: NORMALIZE,
  normalizeTangent: NORMALIZE_TANGENT,
  reshape: RESHAPE,
  flatten: FLATTEN,
  unflatten: UNFLATTEN,
  rows: ROWS_OF,
  place: PLACE,
  columnsAt: COLUMNS_AT,
  addColumnsAt: ADD_COLUMNS_AT,
  maximum: MAXIMUM,
  pick: PICK,
  putBack: PUT_BACK,
  oneHot: ONE_HOT,
  present: PRESENT,
  hideKeys: HIDE_KEYS,
};

/** What a node is computed by. */
export const primitiveOf = ({ op }: Node): Primitive => PRIMITIVES[op];
