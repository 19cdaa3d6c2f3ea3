/**
 * Launches of kernels that wait to be handed over, and those that were handed over together before.
 *
 * The card is handed what waits when something is read, written, freed or waited for. A launch costs this machine some
 * microseconds, as long as a card takes for a level of a tree: what was handed over in the same order before is kept
 * as a graph (CUDA graphs, recorded by capturing the stream) and replayed by one call. Calls of cuBLAS are recorded
 * with it: by then each was made once, so that what it loads is there.
 */
import { arrayAddress } from '../../native/koffi.js';
import type { CudaContext } from './context.js';

/** A launch of a kernel, all that it is given included. */
export interface KernelLaunch {
  /** A CUfunction. */
  readonly kernel: number;
  readonly blocks: number;
  readonly threads: number;
  /** The one parameter of the kernel, a structure. */
  readonly parameters: BigInt64Array;
  /** Addresses of the memory that it reads and writes, as far as that can be freed. */
  readonly memory: readonly number[];
}

/** A call of a library that adds to the stream. */
export interface LibraryCall {
  readonly call: () => void;
  /** Whether nobody says that graphs keep it, as with arguments that are arrays of this machine: no graph has it. */
  readonly apart: boolean;
  readonly memory: readonly number[];
}

/** What the stream is handed. */
export type Launch = KernelLaunch | LibraryCall;

/** CU_LAUNCH_PARAM_BUFFER_POINTER, CU_LAUNCH_PARAM_BUFFER_SIZE. */
const [BUFFER_POINTER, BUFFER_SIZE] = [1n, 2n];
/** CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: what other threads do meanwhile is no error. */
const THREAD_LOCAL = 1;

/** Launches that are worth a graph, at least. */
const LEAST = 4;
/** Launches that wait, at most. */
const MOST = 1024;
/** Sequences that are remembered. */
const REMEMBERED = 16;

/** Launches that were handed over together; `executable` from the second time on. */
interface Sequence {
  readonly launches: readonly Launch[];
  executable: number | undefined;
}

/** Launches on their way to a card. */
export class LaunchQueue {
  readonly #context: CudaContext;
  #waiting: Launch[] = [];
  /** The one that was used last at the end. */
  readonly #sequences: Sequence[] = [];

  constructor(context: CudaContext) {
    this.#context = context;
  }

  /** Adds a launch; the same object where it is the same launch. */
  add(launch: Launch): void {
    this.#waiting.push(launch);
    if (this.#waiting.length === MOST) this.submit();
  }

  /** Hands over what waits. */
  submit(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    let begin = 0;
    waiting.forEach((launch, i) => {
      if (!('call' in launch && launch.apart)) return;
      this.#hand(waiting.slice(begin, i));
      launch.call();
      begin = i + 1;
    });
    this.#hand(begin === 0 ? waiting : waiting.slice(begin));
  }

  #hand(launches: readonly Launch[]): void {
    if (launches.length < LEAST) {
      this.#launch(launches);
      return;
    }
    const at = this.#sequences.findIndex(
      (one) => one.launches.length === launches.length && one.launches.every((launch, i) => launch === launches[i]),
    );
    if (at < 0) {
      this.#launch(launches);
      this.#sequences.push({ launches, executable: undefined });
      if (this.#sequences.length > REMEMBERED) this.#drop(this.#sequences.shift()!);
      return;
    }
    const [sequence] = this.#sequences.splice(at, 1);
    sequence.executable ??= this.#record(launches);
    this.#sequences.push(sequence);
    this.#context.call('cuGraphLaunch', sequence.executable, this.#context.stream);
  }

  /** Forgets what reads or writes memory that is freed. */
  forget(address: number): void {
    for (let i = this.#sequences.length - 1; i >= 0; i--)
      if (this.#sequences[i].launches.some(({ memory }) => memory.includes(address)))
        this.#drop(this.#sequences.splice(i, 1)[0]);
  }

  /** Forgets all. */
  clear(): void {
    this.#waiting = [];
    for (const sequence of this.#sequences.splice(0)) this.#drop(sequence);
  }

  #launch(launches: readonly Launch[]): void {
    const size = new BigInt64Array(1);
    const extra = BigInt64Array.of(BUFFER_POINTER, 0n, BUFFER_SIZE, BigInt(arrayAddress(size)), 0n);
    const { stream } = this.#context;
    for (const launch of launches) {
      if ('call' in launch) {
        launch.call();
        continue;
      }
      const { kernel, blocks, threads, parameters } = launch;
      size[0] = BigInt(parameters.byteLength);
      extra[1] = BigInt(arrayAddress(parameters));
      this.#context.call('cuLaunchKernel', kernel, blocks, 1, 1, threads, 1, 1, 0, stream, 0, arrayAddress(extra));
    }
  }

  #record(launches: readonly Launch[]): number {
    const { stream, driver } = this.#context;
    const graph = new BigInt64Array(1);
    const drop = (): void => {
      if (graph[0] !== 0n) driver.status('cuGraphDestroy', Number(graph[0]));
    };
    this.#context.call('cuStreamBeginCapture_v2', stream, THREAD_LOCAL);
    try {
      this.#launch(launches);
    } catch (error) {
      // A stream that goes on recording would hand over nothing any more. Of a call that failed in between it says less
      // than that call did.
      try {
        driver.status('cuStreamEndCapture', stream, arrayAddress(graph));
        drop();
      } catch {
        // As little.
      }
      throw error;
    }
    this.#context.call('cuStreamEndCapture', stream, arrayAddress(graph));
    try {
      return this.#context.made('cuGraphInstantiateWithFlags', Number(graph[0]), 0);
    } finally {
      drop();
    }
  }

  #drop({ executable }: Sequence): void {
    if (executable !== undefined && !this.#context.lost) this.#context.driver.status('cuGraphExecDestroy', executable);
  }
}
