/**
 * What a primitive is: its derivatives as further nodes, and what computes it.
 */
import type { FloatArray, Precision } from '../core/floats.js';
import type { Blas } from '../dense/blas.js';
import type { TensorKernels } from '../dense/tensor-kernels.js';
import type { VectorKernels } from '../dense/vector-memory.js';
import type { Graph } from './graph.js';
import type { Node } from './node.js';

/** What nodes are computed with, and where their numbers lie. */
export interface Machine {
  readonly blas: Blas;
  readonly vectors: VectorKernels;
  readonly tensors: TensorKernels;
  readonly precision: Precision;
  /** Samples of the batch. */
  readonly count: number;
  /** All of the memory: what `at` counts in. */
  readonly heap: FloatArray;
  /** Where a node's numbers begin. */
  at(node: Node): number;
  /** A node's numbers; at least as many as it has. */
  array(node: Node): FloatArray;
  /** The numbers of a node that holds indices. */
  indices(node: Node): Int32Array;
  /** The numbers from `at` on, known arrays again. */
  part(at: number, length: number): FloatArray;
  /** Where the numbers begin that a primitive may use while it runs: as many as its `scratch` says. */
  readonly scratch: number;
  /** The first `length` of them as indices. */
  scratchIndices(length: number): Int32Array;
}

/** 0: what stood in the output is overwritten; 1: it is added to. */
export type Beta = 0 | 1;

/** One primitive. */
export interface Primitive {
  /**
   * The change of the node along changes of its inputs (null: none), as a node; null where there is none.
   */
  readonly pushforward: (graph: Graph, node: Node, tangents: readonly (Node | null)[]) => Node | null;
  /** The cotangent of input k from the node's. Absent where no input can be differentiated. */
  readonly pullback?: (graph: Graph, node: Node, cotangent: Node, k: number) => Node | null;
  /** Computes the node, and those of `together` (see below); with beta = 1 only where `accumulates`. */
  readonly run: (machine: Machine, node: Node, beta: Beta, together: readonly Node[]) => void;
  /** Whether `run` can add to its output. */
  readonly accumulates?: boolean;
  /** The input whose memory the output may take over. */
  readonly inPlace?: number;
  /** Nodes of this primitive on the same inputs with one such key are computed by one `run`, of the first of them. */
  readonly together?: (node: Node) => string;
  /** Numbers of scratch memory for a batch. Default none. */
  readonly scratch?: (node: Node, samples: number) => number;
  /** Floating-point operations for a batch, of those that count: multiplications of matrices. Default none. */
  readonly flops?: (node: Node, samples: number) => number;
}
