/**
 * Planned work on CUDA: its steps, whose lists lie there, launched one after the other.
 */
import { NUMBER_BYTES, type Precision } from '../../core/floats.js';
import type { LaunchCost } from '../device.js';
import type { GemmLeast } from './gemms.js';
import { layOut, type CudaHost } from './host.js';
import type { FactorStep } from './kernels/factors.js';
import type { GemmStep } from './kernels/gemms.js';
import { SCRATCH, type Step } from './kernels/step.js';
import type { AnyStep } from './kernels/steps.js';
import type { StepPlan } from '../work/steps.js';
import type { Launch } from './launches.js';
import {
  FACTOR_LAUNCHES,
  factorLaunches,
  gemmLaunchCount,
  gemmLaunches,
  kernelLaunch,
  OUTCOME_BYTES,
} from './step-launches.js';
import { cutRows, CudaRows, type CutRows } from './rows.js';

/** Where the lists of a step lie. */
interface ReadyStep {
  readonly step: Step | GemmStep | FactorStep;
  readonly lists: readonly number[];
}
interface ReadyRows {
  readonly rows: CudaRows;
  readonly values: string;
  readonly vectors: string;
}

/** A step before its lists lie on the device. */
type CutStep =
  Step | GemmStep | FactorStep | { readonly cut: CutRows; readonly values: string; readonly vectors: string };

/** Steps before their lists lie on the device, and the bytes that those take there. */
export interface CutWork {
  readonly steps: readonly CutStep[];
  readonly scratchRows: number;
  readonly bytes: number;
}

/** Prepares steps. */
export function cutWork({ steps, scratchRows }: StepPlan<AnyStep>, least: GemmLeast): CutWork {
  const cut = steps.map((step): CutStep => ('rows' in step ? { ...step, cut: cutRows(step.rows, least) } : step));
  const rows = cut.reduce((sum, step) => sum + ('cut' in step ? step.cut.bytes : 0), 0);
  return { steps: cut, scratchRows, bytes: rows + layOut(listsOf(cut)).bytes };
}

/** Bytes that its factorizations by cuSOLVER work in, one after the other. Throws MemoryError, DeviceError. */
export function workspaceOf({ steps }: CutWork, host: CudaHost): number {
  const bytes = steps.flatMap((step) => ('triangle' in step ? [host.factorBytes(step.triangle)] : []));
  return bytes.length === 0 ? 0 : OUTCOME_BYTES * (1 + Math.ceil(Math.max(...bytes) / OUTCOME_BYTES));
}

const listsOf = (steps: readonly CutStep[]): Float64Array[] => steps.flatMap(listsOfStep);

function listsOfStep(step: CutStep): readonly Float64Array[] {
  if ('cut' in step || 'triangle' in step) return [];
  return 'gemm' in step ? (step.addresses?.lists ?? []) : step.lists;
}

/** What work is launched with. */
export interface CudaOperands {
  readonly precision: Precision;
  readonly addresses: Readonly<Record<string, number>>;
  readonly width: number;
}

/** Work on the device. */
export class CudaWork {
  readonly #host: CudaHost;
  readonly #steps: (ReadyStep | ReadyRows)[] = [];
  readonly #memory: number;
  readonly #scratchRows: number;
  #scratch: { readonly address: number; readonly bytes: number } | undefined;
  /** Bytes at the beginning of its memory that factorizations of cuSOLVER's work in. */
  readonly #workspace: number;
  #last: { readonly operands: CudaOperands; readonly launches: readonly (Launch | ReadyRows)[] } | undefined;

  /** Puts the lists on the device, behind a workspace. Throws MemoryError, and then nothing is left there. */
  constructor({ steps, scratchRows }: CutWork, host: CudaHost, workspace: number) {
    this.#host = host;
    this.#workspace = workspace;
    this.#scratchRows = scratchRows;
    const lists = listsOf(steps);
    const { places, bytes } = layOut(lists);
    this.#memory = host.make(workspace + bytes);
    try {
      let next = 0;
      for (const step of steps) {
        if ('cut' in step) {
          this.#steps.push({ rows: new CudaRows(step.cut, host), values: step.values, vectors: step.vectors });
          continue;
        }
        const addresses = listsOfStep(step).map((list) => {
          const address = this.#memory + workspace + places[next++];
          host.send(address, list);
          return address;
        });
        this.#steps.push({ step, lists: addresses });
      }
    } catch (error) {
      this.free();
      throw error;
    }
  }

  /** What a launch costs, of so many flops asked for. */
  cost(width: number, flops: number): Pick<LaunchCost, 'launches' | 'padded'> {
    let launches = 0;
    let padded = 0;
    for (const step of this.#steps) {
      const cost = 'rows' in step ? step.rows.cost(width) : costOf(step.step);
      launches += cost.launches;
      padded += cost.padded;
    }
    return { launches, padded: Math.max(flops, padded) };
  }

  /** Adds a launch to the queue. Throws MemoryError. */
  launch(operands: CudaOperands): void {
    const last = this.#last?.operands;
    const same =
      last?.width === operands.width &&
      last.precision === operands.precision &&
      Object.entries(operands.addresses).every(([name, address]) => last.addresses[name] === address);
    if (!same) {
      // Where what follows throws, launches that were prepared before may be of memory that was freed.
      this.#last = undefined;
      this.#last = { operands, launches: this.#prepare(operands) };
    }
    for (const launch of this.#last!.launches) {
      if (!('rows' in launch)) this.#host.add(launch);
      else {
        const { precision, addresses, width } = operands;
        const [values, vectors] = [addresses[launch.values], addresses[launch.vectors]];
        launch.rows.launch({ precision, values, vectors, width });
      }
    }
  }

  /** Frees what lies on the device. */
  free(): void {
    this.#host.free(this.#memory);
    if (this.#scratch !== undefined) this.#host.free(this.#scratch.address);
    for (const step of this.#steps) if ('rows' in step) step.rows.free();
  }

  #prepare(operands: CudaOperands): (Launch | ReadyRows)[] {
    const { precision, addresses, width } = operands;
    const bytes = NUMBER_BYTES[precision] * this.#scratchRows * width;
    if (bytes > (this.#scratch?.bytes ?? 0)) {
      if (this.#scratch !== undefined) this.#host.free(this.#scratch.address);
      this.#scratch = undefined;
      this.#scratch = { address: this.#host.make(bytes), bytes };
    }
    const all: Readonly<Record<string, number>> = { ...addresses, [SCRATCH]: this.#scratch?.address ?? 0 };
    return this.#steps.flatMap((ready): (Launch | ReadyRows)[] => {
      if ('rows' in ready) return [ready];
      const { step, lists } = ready;
      const on = { precision, addresses: all, width, lists, memory: this.#memory };
      if ('triangle' in step) return factorLaunches(this.#host, step, on, this.#workspace);
      return 'gemm' in step ? gemmLaunches(this.#host, step, on) : [kernelLaunch(this.#host, step, on)];
    });
  }
}

/** Launches of a step, and flops with padding. */
function costOf(step: Step | GemmStep | FactorStep): Pick<LaunchCost, 'launches' | 'padded'> {
  if ('gemm' in step) return { launches: gemmLaunchCount(step), padded: step.gemm.flops };
  if ('triangle' in step) return { launches: FACTOR_LAUNCHES, padded: step.triangle.order ** 3 / 3 };
  return { launches: 1, padded: step.padded ?? 0 };
}
