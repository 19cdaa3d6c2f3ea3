/**
 * Planned work on WebGPU: its steps, whose lists lie there, recorded one after the other.
 */
import type { LaunchCost } from '../device.js';
import { USAGE, type GpuBuffer } from './api.js';
import { GpuBuffers, inRows, roomFor, type GpuHost } from './host.js';
import { CONSTANT_WORDS, textOf, type Kernel } from './kernels/shader.js';
import { SCRATCH, type RowsStep, type Step } from './kernels/step.js';
import type { StepPlan } from '../work/steps.js';
import { cutRows, GpuRows, type CutRows } from './rows.js';

const WIDTH_BYTES = 16;
const CONSTANT_BYTES = 4 * CONSTANT_WORDS;

/** A step whose lists lie on the device. */
interface ReadyStep {
  readonly step: Step;
  readonly lists: Readonly<Record<string, GpuBuffer>>;
  readonly constants: GpuBuffer;
  /** What binds them and the last operands to a kernel. */
  bound?: { readonly key: string; readonly operands: readonly GpuBuffer[]; readonly group: unknown };
}
interface ReadyRows {
  readonly rows: GpuRows;
  readonly values: string;
  readonly vectors: string;
}

/** A step before its lists lie on the device. */
type CutStep = Step | { readonly cut: CutRows; readonly values: string; readonly vectors: string };

/** Steps before their lists lie on the device, and the bytes that those take there. */
export interface CutWork {
  readonly steps: readonly CutStep[];
  readonly scratchRows: number;
  readonly bytes: number;
}

/** Prepares steps. Throws MemoryError where a kernel cannot address a block. */
export function cutWork({ steps, scratchRows }: StepPlan<Step | RowsStep>): CutWork {
  const cut = steps.map((step): CutStep => ('rows' in step ? { ...step, cut: cutRows(step.rows) } : step));
  const bytes = cut.reduce(
    (sum, step) =>
      sum +
      ('cut' in step
        ? step.cut.bytes
        : CONSTANT_BYTES + Object.values(step.lists).reduce((all, list) => all + roomFor(list.byteLength), 0)),
    roomFor(WIDTH_BYTES),
  );
  return { steps: cut, scratchRows, bytes };
}

/** Work on the device. */
export class GpuWork {
  readonly #host: GpuHost;
  readonly #buffers: GpuBuffers;
  readonly #steps: readonly (ReadyStep | ReadyRows)[];
  readonly #widths: GpuBuffer;
  readonly #scratchRows: number;
  #width = 0;
  #scratch: GpuBuffer | undefined;

  private constructor(
    host: GpuHost,
    buffers: GpuBuffers,
    { widths, scratchRows }: { readonly widths: GpuBuffer; readonly scratchRows: number },
    steps: (ReadyStep | ReadyRows)[],
  ) {
    this.#host = host;
    this.#buffers = buffers;
    this.#widths = widths;
    this.#scratchRows = scratchRows;
    this.#steps = steps;
  }

  /** Puts the lists on the device. Throws MemoryError, and then nothing is left there. */
  static async prepare({ steps, scratchRows }: CutWork, host: GpuHost): Promise<GpuWork> {
    const buffers = new GpuBuffers(host);
    const ready: (ReadyStep | ReadyRows)[] = [];
    try {
      for (const step of steps) {
        if ('cut' in step) {
          const { cut, values, vectors } = step;
          ready.push({ rows: await GpuRows.prepare(cut, host), values, vectors });
          continue;
        }
        const words = new Uint32Array(CONSTANT_WORDS);
        const [count] = step.groups(1);
        words.set([count, inRows(count, host)[0], ...step.constants]);
        const lists: Record<string, GpuBuffer> = {};
        for (const [name, list] of Object.entries(step.lists)) lists[name] = await buffers.put(list, USAGE.storage);
        ready.push({ step, lists, constants: await buffers.put(words, USAGE.uniform) });
      }
      const widths = await buffers.put(WIDTH_BYTES, USAGE.uniform);
      return new GpuWork(host, buffers, { widths, scratchRows }, ready);
    } catch (error) {
      buffers.free();
      for (const step of ready) if ('rows' in step) step.rows.free();
      throw error;
    }
  }

  /** What a launch costs, of so many flops asked for. */
  cost(width: number, flops: number): Pick<LaunchCost, 'launches' | 'padded'> {
    let launches = 0;
    let padded = 0;
    for (const step of this.#steps) {
      const cost = 'rows' in step ? step.rows.cost(width) : { launches: 1, padded: step.step.padded?.(width) ?? 0 };
      launches += cost.launches;
      padded += cost.padded;
    }
    return { launches, padded: Math.max(flops, padded) };
  }

  /** Records a launch, with operands by their names. */
  launch(operands: Readonly<Record<string, GpuBuffer>>, width: number): void {
    this.#resize(width);
    const all = this.#scratch === undefined ? operands : { ...operands, [SCRATCH]: this.#scratch };
    for (const ready of this.#steps) {
      if ('rows' in ready) ready.rows.launch(all[ready.values], all[ready.vectors]);
      else this.#record(ready, all, width);
    }
  }

  /** Frees what lies on the device. */
  free(): void {
    this.#buffers.free();
    if (this.#scratch !== undefined) this.#host.free(this.#scratch);
    for (const step of this.#steps) if ('rows' in step) step.rows.free();
  }

  #resize(width: number): void {
    if (this.#width === width) return;
    this.#host.submit();
    if (this.#steps.some((ready) => 'step' in ready && ready.step.kernel(width).takesWidth))
      this.#host.send(this.#widths, Uint32Array.of(width, 0, 0, 0));
    for (const step of this.#steps) if ('rows' in step) step.rows.resize(width);
    if (this.#scratchRows > 0) {
      if (this.#scratch !== undefined) this.#host.free(this.#scratch);
      this.#scratch = this.#host.gpu.createBuffer({
        size: roomFor(4 * this.#scratchRows * width),
        usage: USAGE.storage,
      });
    }
    this.#width = width;
  }

  #record(ready: ReadyStep, all: Readonly<Record<string, GpuBuffer>>, width: number): void {
    const { step, lists, constants } = ready;
    const kernel = step.kernel(width);
    const [count, layers] = step.groups(width);
    if (count === 0) return;
    const operands = kernel.operands.map((name) => all[step.operands[name]]);
    const same = operands.map((buffer) => operands.indexOf(buffer));
    const { key, takesWidth, pipeline } = this.#compiled(kernel, same);
    let group = ready.bound;
    if (group?.key !== key || group.operands.some((buffer, i) => buffer !== operands[i])) {
      const buffers = [
        constants,
        ...kernel.lists.map((name) => lists[name]),
        ...new Set(operands),
        ...(takesWidth ? [this.#widths] : []),
      ];
      group = ready.bound = { key, operands, group: this.#host.bind(pipeline, buffers) };
    }
    const [across, down] = inRows(count, this.#host);
    this.#host.dispatch(pipeline, group.group, [across, down, layers]);
  }

  #compiled(
    kernel: Kernel,
    same: readonly number[],
  ): { readonly key: string; readonly takesWidth: boolean; readonly pipeline: ReturnType<GpuHost['pipeline']> } {
    const key = `${kernel.name}, operands ${same.join(' ')}`;
    const pipeline = this.#host.pipeline(key, () => textOf(kernel, same));
    return { key, takesWidth: kernel.takesWidth, pipeline };
  }
}
