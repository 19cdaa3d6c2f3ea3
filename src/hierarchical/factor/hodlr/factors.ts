/**
 * A recursive factorization of a HODLR matrix as data: what its tasks share.
 */
import { leftChild } from '../../../core/indices.js';
import { view, type FloatArray, type Matrix } from '../../../dense/matrix.js';
import type { HierarchicalData } from '../../matrix/data.js';
import { heldRows } from '../../matrix/row-blocks.js';
import type { HodlrPlan } from './plan.js';

/** What stays with the factorization, all shared. */
export interface HodlrFactors {
  readonly data: HierarchicalData;
  readonly plan: HodlrPlan;
  /** G and Q of each node. */
  readonly splits: FloatArray;
  readonly bases: FloatArray;
  readonly factors: FloatArray;
  /** 2·Σ log of each node's pivots. */
  readonly logs: Float64Array;
  /** Per node: 0 factored; i > 0: minor i is not positive definite; SKIPPED: a node below it failed. */
  readonly status: Int32Array;
  /** λ. */
  readonly shift: Float64Array;
}

/** The factors, and R of every node and scratch, which a refactorization needs besides. */
export interface HodlrFactorState extends HodlrFactors {
  readonly triangles: FloatArray;
  /** Scratch of nodes near the root. */
  readonly slots: FloatArray;
}

/** Rows of node `rows` in Q of node ν. */
export function basisRowsOf({ data, plan, bases }: HodlrFactors, ν: number, rows: number): Matrix {
  const { begin, end } = heldRows(data);
  return view(
    bases,
    plan.basisBegin[ν] + begin[rows] - begin[ν],
    end[rows] - begin[rows],
    plan.begin[ν + 1] - plan.begin[ν],
    end[ν] - begin[ν],
  );
}

/** R of node ν, upper triangular. */
export function triangleOf({ plan, triangles }: HodlrFactorState, ν: number): Matrix {
  const k = plan.begin[ν + 1] - plan.begin[ν];
  return view(triangles, plan.triangleBegin[ν], k, k);
}

/** X and C of inner node ν. */
export function cornerOf(
  { plan: { begin, factorBegin }, factors }: HodlrFactors,
  ν: number,
): { readonly x: Matrix; readonly c: Matrix } {
  const l = leftChild(ν);
  const k = begin[l + 1] - begin[l];
  return { x: view(factors, factorBegin[ν], k, k), c: view(factors, factorBegin[ν] + k * k, k, k) };
}

/** L of leaf ν, lower triangular. */
export function leafFactorOf({ data: { tree }, plan, factors }: HodlrFactors, ν: number): Matrix {
  const n = tree.end[ν] - tree.begin[ν];
  return view(factors, plan.factorBegin[ν], n, n);
}
