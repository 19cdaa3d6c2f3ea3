/**
 * What the page asks the worker that hosts the library, and what comes back.
 */
import type { ErrorEstimate, HierarchicalFormat, LevelRanks, MemoryUse } from 'hmatrix/hierarchical';
import type { KernelFamily } from 'hmatrix/kernels';
import type { BlockStructure } from '#hmatrix/hierarchical/matrix/block-structure.js';
import type { TableRecord } from '#hmatrix/experiment/table-record.js';
import type { CloudName } from './clouds.js';

/** Points that the page brings: coordinates point by point. */
export interface OwnPoints {
  readonly dimension: number;
  readonly count: number;
  readonly coordinates: Float64Array;
}

/** A kernel matrix: of a generated cloud, or of points of one's own. */
export interface KernelProblem {
  readonly cloud: CloudName;
  readonly count: number;
  readonly own?: OwnPoints | undefined;
  readonly kernel: KernelFamily;
  readonly bandwidth: number;
}

/** A kernel matrix, and how it is compressed. */
export interface CompressedProblem extends KernelProblem {
  readonly format: HierarchicalFormat;
  readonly tolerance: number;
  readonly leafSize: number;
}

/** One compression. */
export interface CompressTask extends CompressedProblem {
  readonly kind: 'compress';
}

/** Products with what was compressed, on the graphics card. */
export interface CardTask extends CompressedProblem {
  readonly kind: 'card';
}

/** All ways to approximate one kernel matrix. */
export interface CompareTask extends KernelProblem {
  readonly kind: 'compare';
}

/** The Hessian of a network on generated digits. */
export interface HessianTask {
  readonly kind: 'hessian';
  readonly hidden: number;
  readonly samples: number;
  readonly epochs: number;
}

/** What the worker can be asked to do. */
export type Task = CompressTask | CardTask | CompareTask | HessianTask;

/** A task with its number; a later one ends it. */
export interface Request {
  readonly id: number;
  readonly task: Task;
}

/** A matrix that was compressed. */
export interface Compressed {
  readonly kind: 'compressed';
  readonly structure: BlockStructure;
  readonly ranks: readonly LevelRanks[];
  readonly memory: MemoryUse;
  /** The first two coordinates of each point, in tree order. */
  readonly plane: Float64Array;
  readonly seconds: number;
  readonly productSeconds: number;
  readonly workers: number;
}

/** Products on the graphics card and here. */
export interface OnCard {
  readonly kind: 'onCard';
  /** What the card is. */
  readonly card: string;
  readonly vectors: number;
  /** With the way of the vectors there and back. */
  readonly cardSeconds: number;
  readonly hereSeconds: number;
  /** What lies there. */
  readonly bytes: number;
  /** ‖Y_card − Y‖_F / ‖Y‖_F. */
  readonly difference: number;
}

/** One approximation of a comparison. */
export interface ComparedRow {
  readonly kind: 'row';
  readonly method: string;
  /** Share of the dense matrix's memory. */
  readonly share: number;
  readonly error: ErrorEstimate;
  readonly seconds: number;
}

/** What comes back, in order; `done` or `failed` is the last of a task. */
export type Answer =
  | { readonly kind: 'progress'; readonly phase: string; readonly done: number; readonly total: number }
  | Compressed
  | { readonly kind: 'measured'; readonly error: ErrorEstimate }
  | OnCard
  | ComparedRow
  | { readonly kind: 'digits'; readonly pixels: Uint8Array; readonly side: number; readonly count: number }
  | { readonly kind: 'table'; readonly record: TableRecord }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly message: string };

/** An answer with the number of its task. */
export interface Reply {
  readonly id: number;
  readonly answer: Answer;
}
