/**
 * How a graph is computed: in which order, which node writes where. Everything is laid out before the first run, so
 * that a run allocates nothing.
 *
 * A plan has phases: what later phases read of the first one is kept, so that each of them can run again and again
 * (products with curvature at one point). Nodes that are dead make room for others (first fit by intervals). Terms of
 * sums write into the sum where they can; maps that keep the place of their numbers work in place.
 */
import { primitiveOf } from '../primitives/table.js';
import { findBuffers } from './buffers.js';
import { orderOf } from './order.js';
import { packIntervals } from './pack.js';
import type { Place, PlanRequest, Step } from './request.js';
import type { SumChoices } from './sum-rules.js';

export type { Output, Place, PlanRequest, Region, Step } from './request.js';

/** A plan. It is structured-cloneable. */
export interface Plan {
  readonly phases: readonly (readonly Step[])[];
  /** By the nodes' ids. */
  readonly places: ReadonlyMap<number, Place>;
  readonly capacity: number;
  /** Numbers of each region of the plan, and of the scratch memory of primitives. */
  readonly kept: number;
  readonly work: number;
  readonly scratch: number;
}

/** Regions of memory begin at multiples of so many numbers: a cache line in either precision. */
export const ALIGNED = 16;

/** `numbers`, rounded up to whole cache lines. */
export const aligned = (numbers: number): number => Math.ceil(numbers / ALIGNED) * ALIGNED;

/** The plan of a request that has no rules of sums. */
export const makePlan = (request: Omit<PlanRequest, 'sums'>): Plan => planByRules(request)!.plan;

/** The plan, and how its sums are added up; null where that cannot be by the request's rules. */
export function planByRules(request: PlanRequest): { readonly plan: Plan; readonly sums: SumChoices } | null {
  const { capacity } = request;
  const order = orderOf(request);
  const found = findBuffers(order, request);
  if (found === null) return null;
  const { buffers, terms, sums } = found;
  const places = new Map<number, Place>();
  let kept = 0;
  const passing = buffers.filter(({ place, isKept, members, numbers }) => {
    const own = place ?? (isKept ? { region: 'kept' as const, at: kept } : null);
    if (own === null) return true;
    if (place === null) kept += aligned(numbers);
    for (const { id } of members) places.set(id, own);
    return false;
  });
  const packed = packIntervals(passing.map(({ numbers, first, last }) => ({ numbers: aligned(numbers), first, last })));
  passing.forEach(({ members }, k) => {
    for (const { id } of members) places.set(id, { region: 'work', at: packed.places[k] });
  });
  const phases = order.phases.map((nodes) => nodes.flatMap((leader): Step[] => terms.stepOf(leader)));
  let scratch = 0;
  for (const { node } of phases.flat())
    scratch = Math.max(scratch, aligned(primitiveOf(node).scratch?.(node, capacity) ?? 0));
  return { plan: { phases, places, capacity, kept, work: packed.numbers, scratch }, sums };
}

/** Multiplications and additions of a phase that matrices take, for a batch. */
export const phaseFlops = (steps: readonly Step[], samples: number): number =>
  steps.reduce((flops, { node }) => flops + (primitiveOf(node).flops?.(node, samples) ?? 0), 0);
