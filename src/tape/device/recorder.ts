/**
 * What a plan's steps are on a device: launches of kernels and products of matrices over one buffer, recorded once for
 * a number of samples and handed over as often as they are needed.
 */
import type { PortableKernel } from '../../device/portable-kernel.js';
import type { Block } from '../../device/work/demand.js';
import type { ProductTarget } from '../../device/work/products.js';
import type { Node } from '../node.js';
import type { Beta } from '../primitive.js';
import { JOIN, partialTargets, splitOf } from './split.js';

/** A launch of a kernel over the buffer. */
export interface KernelStep {
  readonly kernel: PortableKernel;
  readonly count: number;
  readonly integers: readonly number[];
  readonly reals: readonly number[];
}

/** Products that do not depend on each other: C ← keep·C + Σ A·B; without terms C is set to zero. */
export interface ProductStep {
  readonly keep: boolean;
  readonly targets: readonly ProductTarget[];
}

/** One launch. */
export type DeviceStep = KernelStep | ProductStep;

/** Columns one after the other: what BLAS calls a matrix with leading dimension `ld`. */
export const place = (offset: number, ld: number): Block => ({ offset, ld });
/** The transpose. */
export const transposed = ({ offset, ld }: Block): Block => ({ offset, ld, transposed: true });

/** Where nodes lie, and how many samples there are. */
export interface Placement {
  readonly samples: number;
  readonly at: (node: Node) => number;
  /** Where numbers begin that a step may use while it runs. */
  readonly scratch: number;
}

/** Takes down the launches of a plan's steps. */
export class Recorder {
  readonly samples: number;
  readonly scratch: number;
  readonly steps: DeviceStep[] = [];
  /** The most numbers of scratch memory that a step used. */
  scratchUsed = 0;
  /** What the step that is recorded now uses of it. */
  #top = 0;
  readonly #at: Placement['at'];

  constructor({ samples, at, scratch }: Placement) {
    this.samples = samples;
    this.scratch = scratch;
    this.#at = at;
  }

  /** Begins a step of the plan, which has the scratch memory for itself. */
  begin(): void {
    this.#top = 0;
  }

  /** Where a node's numbers begin. */
  at(node: Node): number {
    return this.#at(node);
  }

  /** The scratch memory, for so many numbers from `from` on. */
  scratchAt(from: number, length: number): number {
    this.#top = Math.max(this.#top, from + length);
    this.scratchUsed = Math.max(this.scratchUsed, from + length);
    return this.scratch + from;
  }

  /** A launch for i < count. */
  run(kernel: PortableKernel, count: number, integers: readonly number[], reals: readonly number[] = []): void {
    if (count > 0) this.steps.push({ kernel, count, integers, reals });
  }

  /** A launch of products, which are added to what stands there, or replace it. */
  multiply(keep: boolean, products: readonly ProductTarget[]): void {
    const targets = products.filter(({ rows, columns, terms }) => rows * columns > 0 && !(keep && terms.length === 0));
    if (targets.length > 0) this.steps.push({ keep, targets });
  }

  /** Products whose sums run over samples, and whose results do not grow with them: long sums are cut (split.ts). */
  sum(keep: boolean, products: readonly ProductTarget[]): void {
    const split = products.length === 0 ? undefined : splitOf(products);
    if (split === undefined) {
      this.multiply(keep, products);
      return;
    }
    const { parts, offset, ld, rows, columns } = split;
    const size = rows * columns;
    const scratch = this.scratchAt(this.#top, parts * size);
    this.multiply(false, partialTargets(products, split, scratch));
    this.run(JOIN, size, [offset, keep ? 1 : 0, parts, scratch, rows, ld, size]);
  }
}

/** How a primitive is recorded: what its `run` does on the host. */
export type Lowering = (recorder: Recorder, node: Node, beta: Beta, together: readonly Node[]) => void;
