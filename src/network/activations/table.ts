/**
 * The activations by name. Types, options and error texts follow from this table: a new activation is one file and its
 * entry here.
 */
import type { Activation } from './activation.js';
import { gelu } from './gelu.js';
import { linear } from './linear.js';
import { relu } from './relu.js';
import { sigmoid } from './sigmoid.js';
import { softplus } from './softplus.js';
import { tanh } from './tanh.js';

const TABLE = {
  tanh,
  sigmoid,
  relu,
  softplus,
  gelu,
  linear,
} satisfies Readonly<Record<string, Activation>>;

/** The name of an activation. */
export type ActivationName = keyof typeof TABLE;
/** The activations by name. */
export const ACTIVATION_TABLE: Readonly<Record<ActivationName, Activation>> = TABLE;
/** All values of {@link ActivationName}. */
export const ACTIVATIONS = Object.keys(TABLE) as readonly ActivationName[];

/** Whether φ′ ≡ 1, so that no slopes need be stored. */
export const hasUnitSlope = (name: ActivationName): boolean => ACTIVATION_TABLE[name].identity;
/** Whether φ″ vanishes (for the ReLU: almost everywhere; its slope at 0 is 0). */
export const hasZeroCurvature = (name: ActivationName): boolean => ACTIVATION_TABLE[name].piecewiseLinear;
