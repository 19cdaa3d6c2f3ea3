/**
 * A node of a tape: one primitive applied to other nodes. Nodes are plain data, so that a tape can be sent to workers;
 * what primitives do stands in primitives/table.ts.
 */
import type { Shape } from './shape.js';

/** What a leaf stands for: where its numbers come from. */
export type LeafKind =
  /** Numbers that are trained, part of θ. */
  | 'parameter'
  /** Along θ: the vector of a product with curvature. */
  | 'direction'
  /** Numbers of the batch. */
  | 'input'
  /** Numbers that stay: positional encodings, statistics that are frozen. */
  | 'constant'
  /** Factors 0 and 1/(1 − share) of dropout, drawn for every step. */
  | 'mask'
  /** The number by which losses of samples are multiplied. */
  | 'scale'
  /** Cotangents that a caller places at outputs. */
  | 'seed'
  /** Errors at the outputs that are drawn once a batch. */
  | 'error';

/** Settings of a primitive: numbers, words and lists of numbers. */
export type Attributes = Readonly<Record<string, number | string | boolean | null | readonly number[]>>;

/** One primitive applied to earlier nodes. */
export interface Node {
  /** Its place in the graph: inputs have lower ones. */
  readonly id: number;
  readonly op: string;
  readonly inputs: readonly Node[];
  readonly attributes: Attributes;
  readonly shape: Shape;
  /** For messages: what the builder was making, and the primitive. */
  readonly name: string;
}
