/**
 * What the steps of the measurement of a card have alike: lines of results, times, and launches that are handed over
 * again.
 */
import type { FloatArray, Precision } from '../src/core/floats.js';
import { median } from '../src/core/median.js';
import type { Device, LaunchOperands, PreparedRows, PreparedWork } from '../src/device/device.js';
import type { PreparedKernel } from '../src/device/portable-kernel.js';
import type { WorkKind } from '../src/device/work/work.js';
import { rounded } from './record.js';

/** Prints a line. */
export function tell(result: object): void {
  console.log(JSON.stringify(result, (_, value: unknown) => (typeof value === 'number' ? rounded(value) : value)));
}

/** The error that is one, not rounding. */
const WRONG: Readonly<Record<Precision, number>> = { f64: 1e-11, f32: 1e-3 };

/** Prints a line with whether its error is rounding; the process ends with status 1 where one is not. */
export function judge(
  result: { readonly error: number; readonly precision: Precision } & Record<string, unknown>,
  most: number = WRONG[result.precision],
): void {
  const right = result.error <= most;
  if (!right) process.exitCode = 1;
  tell({ ...result, right });
}

/** Largest |a − b| over the largest |b|. */
export function difference(a: FloatArray, b: FloatArray): number {
  let [worst, most] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    worst = Math.max(worst, Number.isFinite(a[i]) ? Math.abs(a[i] - b[i]) : Infinity);
    most = Math.max(most, Math.abs(b[i]));
  }
  return worst / most;
}

/** Median milliseconds of `work`, handed over `times` times before it is waited for; by one time once alone. */
export async function milliseconds(device: Device, work: () => void, times: number): Promise<number> {
  const taken: number[] = [];
  for (let k = 0; k < 4; k++) {
    const began = performance.now();
    for (let time = 0; time < times; time++) work();
    await device.finish();
    // The first time kernels are compiled, the second time graphs are made.
    if (k > 1 || times === 1) taken.push((performance.now() - began) / times);
  }
  return median(taken);
}

/** Median milliseconds of what is waited for each time; the first of several, which warms up, left out. */
export async function waited(work: () => Promise<unknown>, times: number): Promise<number> {
  const taken: number[] = [];
  for (let k = 0; k < Math.max(1, times); k++) {
    const began = performance.now();
    await work();
    if (k > 0 || times === 1) taken.push(performance.now() - began);
  }
  return median(taken);
}

/** A launch that was handed over. */
export interface Recorded {
  readonly again: () => void;
  /** Products of block rows: what they were launched with. */
  readonly rows?: readonly [PreparedRows, LaunchOperands] | undefined;
  /** Flops asked for and done: those of products, of kernels of single numbers none. */
  readonly flops: number;
  readonly padded: number;
}

/** A device that does what another does, and remembers what it was handed. */
export function recording(device: Device): { readonly device: Device; readonly calls: Recorded[] } {
  const calls: Recorded[] = [];
  const take = (call: Recorded): void => {
    calls.push(call);
    call.again();
  };
  const { kernels } = device;
  const own: Partial<Device> = {
    multiply(rows, operands, width) {
      take({
        ...rows.cost(width),
        rows: [rows, operands],
        again: () => {
          device.multiply(rows, operands, width);
        },
      });
    },
    launch<K extends WorkKind>(
      work: PreparedWork<K>,
      operands: Parameters<typeof device.launch<K>>[1],
      width?: number,
    ): void {
      take({
        ...work.cost(width),
        again: () => {
          device.launch(work, operands, width);
        },
      });
    },
    kernels: kernels && {
      prepare: async (kernel, args) => kernels.prepare(kernel, args),
      launch: (prepared: PreparedKernel): void => {
        take({
          flops: 0,
          padded: 0,
          again: () => {
            kernels.launch(prepared);
          },
        });
      },
    },
  };
  const bound = new Proxy(device, {
    get: (target, key) => {
      if (key in own) return own[key as keyof Device];
      const value = Reflect.get(target, key, target) as unknown;
      return typeof value === 'function' ? (value as (...all: unknown[]) => unknown).bind(target) : value;
    },
  });
  return { device: bound, calls };
}
