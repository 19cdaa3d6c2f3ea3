/**
 * Launches of block rows one after the other, whose lists lie on a device: a product, or a pass of a factorization.
 */
import type { BlockRows } from '../../device/block-rows.js';
import type { Arithmetic, Device, DeviceBuffer, LaunchCost, PreparedRows, PreparedWork } from '../../device/device.js';
import type { Substitutions } from '../../device/work/triangles.js';
import type { Combination } from '../../device/work/vectors.js';

/** A launch over rows of vectors: block rows, substitutions, a combination. B names the buffer that blocks lie in. */
export type VectorStep<B extends string> = {
  /** What it does, for people: "upward, level 3". */
  readonly name: string;
  readonly part: B;
} & (
  | { readonly rows: BlockRows; readonly work?: undefined }
  | { readonly work: Substitutions | Combination; readonly rows?: undefined }
);

/** A launch, and what it costs. */
export interface PlannedLaunch extends LaunchCost {
  /** "upward, level 3". */
  readonly step: string;
}

type Ready<B> = { readonly name: string; readonly part: B } & (
  | { readonly rows: PreparedRows; readonly work?: undefined }
  | { readonly work: PreparedWork<'substitutions' | 'combination'>; readonly rows?: undefined }
);

const isSubstitution = (work: PreparedWork<'substitutions' | 'combination'>): work is PreparedWork<'substitutions'> =>
  work.kind === 'substitutions';

/** The launches of a pass over vectors, in order. */
export class VectorLaunches<B extends string> {
  readonly #device: Device;
  readonly #steps: Ready<B>[] = [];

  private constructor(device: Device) {
    this.#device = device;
  }

  /** Puts their lists on the device. Throws MemoryError, and then nothing is left there. */
  static async prepare<B extends string>(steps: readonly VectorStep<B>[], device: Device): Promise<VectorLaunches<B>> {
    const launches = new VectorLaunches<B>(device);
    try {
      for (const { name, part, rows, work } of steps)
        launches.#steps.push(
          rows === undefined
            ? { name, part, work: await device.plan(work) }
            : { name, part, rows: await device.prepare(rows) },
        );
      return launches;
    } catch (error) {
      launches.release();
      throw error;
    }
  }

  /** Bytes of the lists. */
  get bytes(): number {
    return this.#steps.reduce((sum, { rows, work }) => sum + (rows ?? work).bytes, 0);
  }

  /** What each costs with p vectors. */
  cost(p: number): PlannedLaunch[] {
    return this.#steps.map(({ name, rows, work }) => ({ step: name, ...(rows ?? work).cost(p) }));
  }

  /** Runs them over the rows of `vectors`, each of `width` numbers; products of block rows in that arithmetic. */
  run(values: Readonly<Record<B, DeviceBuffer>>, vectors: DeviceBuffer, width: number, arithmetic?: Arithmetic): void {
    for (const { part, rows, work } of this.#steps) {
      if (rows !== undefined) this.#device.multiply(rows, { values: values[part], vectors, arithmetic }, width);
      else if (isSubstitution(work)) this.#device.launch(work, { triangles: values[part], x: vectors }, width);
      else this.#device.launch(work as PreparedWork<'combination'>, { x: vectors, y: vectors }, width);
    }
  }

  /** Frees the lists. */
  release(): void {
    for (const { rows, work } of this.#steps) (rows ?? work).destroy();
    this.#steps.length = 0;
  }
}
