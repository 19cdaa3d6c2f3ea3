/**
 * What stands for machine.ts in a browser, which tells little: the number of cores, and a rounded size of the memory.
 */
import { availableParallelism } from '../core/node-browser.js';
import type { MachineDescription } from './machine.js';

/** What is used of the browser's description of itself and of a worker's memory. */
interface Browser {
  readonly navigator: { readonly deviceMemory?: number | undefined };
  readonly performance: { readonly memory?: { readonly usedJSHeapSize: number } | undefined };
}
const { navigator, performance } = globalThis as unknown as Browser;

/** Where a browser does not say how much there is: what it grants a page at least, on a machine of today. */
const USUAL_GIBIBYTES = 4;

/** Main memory, in bytes, as far as the browser tells: a power of two, 8 GiB at most. */
export const totalMemory = (): number => (navigator.deviceMemory ?? USUAL_GIBIBYTES) * 2 ** 30;

/** Largest resident set: what is in use now, where the browser tells, else 0. */
export const peakMemory = (): number => performance.memory?.usedJSHeapSize ?? 0;

/** Bytes the page may still use: half of the memory is left to the browser and its other pages. */
export const availableMemory = (): number => Math.max(0, totalMemory() / 2 - peakMemory());

/** This machine, as far as a browser tells. */
export const describeMachine = (): MachineDescription => ({
  platform: 'browser',
  architecture: 'wasm32',
  processor: 'unknown',
  vectors: 'simd128',
  cores: availableParallelism(),
  memoryBytes: totalMemory(),
});

/** A browser does not say. */
export const gpuDrivers = (): string[] => [];

/** A page knows no other machine. */
export const machineName = (): string => 'page';

/** Cores for one of `processes` processes that share the machine. */
export const coresOfEach = (processes: number): number => Math.max(1, Math.floor(availableParallelism() / processes));
