/**
 * Planned work on a device, and the checks of what it is launched with.
 */
import { DeviceError, ShapeError } from '../core/errors.js';
import type { DeviceBuffer, LaunchCost, PreparedWork } from './device.js';
import { requireWidth, type Ledger } from './ledger.js';
import { firstCommon, type WorkDemand } from './work/demand.js';
import type { WorkKind } from './work/work.js';

/** What work needs of a device, and what it makes of it. */
export interface ResidentWorkParts<K extends WorkKind, P> {
  readonly kind: K;
  readonly demand: WorkDemand;
  readonly bytes: number;
  readonly parts: P;
  /** Launches of it, and flops with padding, for vectors of some width; default: one launch, nothing padded. */
  readonly cost?: ((width: number) => Pick<LaunchCost, 'launches' | 'padded'>) | undefined;
  readonly free: (parts: P) => void;
}

/** Work on a device, of which P is what the device made. */
export class ResidentWork<K extends WorkKind, P> implements PreparedWork<K> {
  readonly kind: K;
  /** The ledger of its device. */
  readonly owner: object;
  readonly #made: ResidentWorkParts<K, P>;
  /** Which operands were one buffer in launches whose operands were found apart. */
  readonly #apart = new Set<string>();
  #live = true;

  /** Of `residentWork`. */
  constructor(owner: object, made: ResidentWorkParts<K, P>) {
    this.kind = made.kind;
    this.owner = owner;
    this.#made = made;
  }

  get bytes(): number {
    return this.#made.bytes;
  }

  /** What it asks of its operands. */
  get demand(): WorkDemand {
    return this.#made.demand;
  }

  /** What was made of it; undefined once it was destroyed. */
  get parts(): P | undefined {
    return this.#live ? this.#made.parts : undefined;
  }

  cost(width = 1): LaunchCost {
    const flops = this.#made.demand.flops(requireWidth(width));
    return { flops, ...(this.#made.cost?.(width) ?? { launches: 1, padded: flops }) };
  }

  destroy(): void {
    if (!this.#live) return;
    this.#live = false;
    this.#made.free(this.#made.parts);
  }

  /** Throws ShapeError where operands that are one buffer meet where the launch writes. */
  requireApart(names: readonly string[], buffers: readonly DeviceBuffer[]): void {
    const same = buffers.map((buffer) => buffers.indexOf(buffer));
    const key = same.join();
    if (same.every((first, i) => first === i) || this.#apart.has(key)) return;
    const { operands } = this.demand;
    names.forEach((written, i) => {
      names.forEach((other, j) => {
        if (i === j || same[i] !== same[j]) return;
        const [{ unit, writes }, demand] = [operands[written], operands[other]];
        // Rows of vectors and numbers have no common measure: they stand in buffers of their own.
        const places = unit === demand.unit ? [demand.reads, demand.writes] : [writes];
        const place = firstCommon(writes, places);
        if (place < 0) return;
        throw new ShapeError(
          `The operands ${written} and ${other} of the launch are one buffer, and what is written to ${written} is ` +
            `read or written as ${other} at place ${place}: the result would depend on what comes first.`,
          { written, other, place },
        );
      });
    });
    this.#apart.add(key);
  }
}

/** Work that a device made; its lists count as memory until it is destroyed. */
export function residentWork<H, K extends WorkKind, P>(
  ledger: Ledger<H>,
  made: ResidentWorkParts<K, P>,
): ResidentWork<K, P> {
  const work = new ResidentWork<K, P>(ledger, {
    ...made,
    free: (parts) => {
      ledger.letGo(work);
      made.free(parts);
    },
  });
  ledger.hold(work, made.bytes);
  return work;
}

/** A launch of work whose operands fit. */
export interface CheckedWork<H, P> {
  readonly parts: P;
  /** What the device knows each operand by. */
  readonly handles: Readonly<Record<string, H>>;
}

/** What a launch needs, from its checked operands. Throws ShapeError, DeviceError. */
export function checkedWork<H, P>(
  ledger: Ledger<H>,
  work: PreparedWork,
  given: Readonly<Record<string, DeviceBuffer | undefined>>,
  width: number,
): CheckedWork<H, P> {
  const device = ledger.name;
  if (!(work instanceof ResidentWork) || work.owner !== ledger)
    throw new DeviceError(`This work was not planned on this device (${device}): plan it there.`, { device });
  const { parts, demand } = work as ResidentWork<WorkKind, P>;
  if (parts === undefined) throw new DeviceError('The planned work was destroyed: plan it again.', { device });
  requireWidth(width);
  const names = Object.keys(demand.operands);
  const handles: Record<string, H> = {};
  const buffers = names.map((name) => {
    const buffer = given[name];
    if (buffer === undefined) throw new ShapeError(`The launch lacks its operand ${name}.`, { operand: name });
    handles[name] = ledger.handleOf(buffer);
    const { unit, reach } = demand.operands[name];
    const need = unit === 'rows' ? reach * width : reach;
    if (need > buffer.length)
      throw new ShapeError(`The launch reaches ${need} numbers of ${name}: the buffer holds ${buffer.length}.`, {
        operand: name,
        reach: need,
        length: buffer.length,
      });
    return buffer;
  });
  const other = buffers.find(({ precision }) => precision !== buffers[0].precision);
  if (other !== undefined)
    throw new ShapeError(
      `The operands ${names[0]} and ${names[buffers.indexOf(other)]} are of ${buffers[0].precision} and ` +
        `${other.precision}: all must be of one precision.`,
    );
  (work as ResidentWork<WorkKind, P>).requireApart(names, buffers);
  return { parts, handles };
}
