/**
 * The team: n workers over shared memory, the calling thread being worker 0. Layer 1.
 * A phase is a fork–join over a task graph (architecture, section 3).
 */
import { availableParallelism } from 'node:os';
import { MessageChannel, receiveMessageOnPort, type MessagePort, type Worker } from 'node:worker_threads';
import { throwIfAborted, type RunControl } from '../core/context.js';
import { AbortedError, OptionError, WorkerError } from '../core/errors.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { sharedInt32 } from '../core/shared-array.js';
import { openBlas } from '../dense/backend.js';
import type { Blas } from '../dense/blas.js';
import { Executor } from './executor.js';
import type { PhaseKernel } from './kernel.js';
import { reviveError, type ErrorReport, type Message, type WorkerStart } from './messages.js';
import { CONTROL_WORDS, DONE, drain, EVENT, FAILED, FINISHED, GENERATION, HEAD, signalEvent, TAIL, TASK_DONE } from './schedule.js';
import { resetRun, type TaskGraph } from './task-graph.js';
import { startThreads } from './threads.js';

export interface TeamOptions {
  /** Workers, the calling thread included; default: the cores the process may use. */
  readonly workers?: number;
  /** Dense backend (see `openBlas`): 'portable', a library's path or name, or undefined for the first found. */
  readonly blas?: string;
  /** A synchronous phase in which nothing happens for this long has lost a worker. */
  readonly stallSeconds?: number;
}
export const TEAM_KEYS: KeysOf<TeamOptions> = { workers: true, blas: true, stallSeconds: true };

/** A state every worker of the team holds. */
export interface Shared<S> {
  readonly id: number;
  readonly state: S;
  /** Held by the calling thread only, because something in it cannot be shared: phases over it run there. */
  readonly solo: boolean;
}

const NO_FAILURE = 0;
const ABORTED = -1;
const MAIN_FAILED = -2;
const EVENT_LOOP_MILLISECONDS = 40;

export class Team {
  readonly workers: number;
  readonly #threads: readonly Worker[];
  readonly #ports: readonly MessagePort[];
  readonly #control: Int32Array;
  readonly #executor: Executor;
  readonly #stallMilliseconds: number;
  readonly #graphIds = new WeakMap<TaskGraph, number>();
  readonly #graphs: FinalizationRegistry<number>;
  #nextId = 1;
  #lost: WorkerError | undefined;
  #closed = false;
  #running = false;
  /** Resolves when the asynchronous phase before has left: phases of one team run one after the other. */
  #turnstile: Promise<void> = Promise.resolve();

  private constructor(workers: number, blas: Blas, threads: readonly Worker[], ports: readonly MessagePort[], control: Int32Array, stallSeconds: number) {
    this.workers = workers;
    this.#threads = threads;
    this.#ports = ports;
    this.#control = control;
    this.#stallMilliseconds = 1000 * stallSeconds;
    this.#executor = new Executor(blas, 0, workers);
    this.#graphs = new FinalizationRegistry((graphId) => { if (!this.#closed) this.#post({ type: 'forget', graphId }); });
  }

  /** Starts a team; resolves when every worker is ready. Throws LibraryError where the chosen backend cannot be opened. */
  static async open(options: TeamOptions = {}): Promise<Team> {
    requireKnownOptions(options, TEAM_KEYS, 'openTeam');
    const workers = options.workers ?? availableParallelism();
    if (!Number.isInteger(workers) || workers < 1 || workers > 1024) throw new OptionError(`workers must be a whole number from 1 to 1024, not ${workers}.`, { workers });
    const blas = openBlas(options.blas);
    const control = sharedInt32(CONTROL_WORDS);
    const stallSeconds = options.stallSeconds ?? 60;
    if (workers === 1) return new Team(1, blas, [], [], control, stallSeconds);
    const ports: MessagePort[] = [];
    const starts: WorkerStart[] = [];
    for (let worker = 1; worker < workers; worker++) {
      const { port1, port2 } = new MessageChannel();
      ports.push(port1);
      // Where no system library was found, the workers need not search again.
      const choice = blas.kind === 'portable' ? 'portable' : options.blas;
      starts.push({ worker, workers, control, port: port2, blas: choice });
    }
    const threads = await startThreads(starts);
    // From here on messages are read synchronously, and neither ports nor threads keep the process alive.
    for (const port of ports) port.unref();
    const team = new Team(workers, blas, threads, ports, control, stallSeconds);
    threads.forEach((thread, index) => {
      thread.unref();
      thread.once('error', (error) => { team.#lose(index + 1, error); });
      thread.once('exit', (code) => { team.#lose(index + 1, new Error(`it exited with code ${code}`)); });
    });
    return team;
  }

  get blas(): Blas { return this.#executor.context.blas; }

  /**
   * Hands a state to every worker, after loading the modules it names. With `solo`, only the calling thread holds it.
   * The state must be structured-cloneable (but for solo) and must not change afterwards except through shared memory.
   */
  async share<S>(state: S, options: { readonly modules?: readonly string[]; readonly solo?: boolean } = {}): Promise<Shared<S>> {
    const modules = options.modules ?? [];
    await this.#executor.load(modules);
    return this.#hold(state, modules, options.solo ?? false);
  }

  /** As `share`, at once, for a state that names no modules. */
  shareNow<S>(state: S): Shared<S> {
    return this.#hold(state, [], false);
  }

  /** Lets go of a state, so that its memory can be freed; nothing happens on a closed team. */
  release(shared: Shared<unknown>): void {
    this.#executor.release(shared.id);
    if (!shared.solo && !this.#closed && this.#lost === undefined) this.#post({ type: 'release', id: shared.id });
  }

  /**
   * Runs every task of the graph and returns when all are done. Between tasks the calling thread serves its event loop, reports
   * progress and honours the signal. Rejects with the first failing task's error, AbortedError, or WorkerError where a worker died.
   */
  async run<S, A = undefined>(phase: string, kernel: PhaseKernel<S, A>, shared: Shared<S>, graph: TaskGraph, args: A, control: RunControl = {}): Promise<void> {
    const before = this.#turnstile;
    let leave = (): void => undefined;
    this.#turnstile = new Promise((resolve) => { leave = resolve; });
    try {
      await before;
      throwIfAborted(control.signal);
      await this.#runAlone(phase, kernel, shared, graph, args, control);
    } finally {
      leave();
    }
  }

  async #runAlone<S, A>(phase: string, kernel: PhaseKernel<S, A>, shared: Shared<S>, graph: TaskGraph, args: A, control: RunControl): Promise<void> {
    const words = this.#control;
    const report = (): void => control.onProgress?.({ phase, done: Math.min(Atomics.load(words, DONE), graph.count), total: graph.count });
    let served = performance.now();
    const turn = async (): Promise<void> => {
      if (performance.now() - served < EVENT_LOOP_MILLISECONDS) return;
      await new Promise(setImmediate);
      served = performance.now();
      report();
      if (control.signal?.aborted) this.#stop(ABORTED);
    };
    let failure: unknown;
    for (const step of this.#steps(kernel, shared, graph, args)) {
      if (step !== TASK_DONE) Atomics.wait(words, EVENT, step, 10);
      try {
        await turn();
      } catch (error) {
        // The caller's progress callback threw: end the run first, then say so.
        failure ??= error;
        this.#stop(MAIN_FAILED);
      }
    }
    if (failure !== undefined) throw failure;
    report();
    throwIfAborted(control.signal);
  }

  /** As `run`, without serving the event loop: for the products of iterative solvers. */
  runSync<S, A = undefined>(kernel: PhaseKernel<S, A>, shared: Shared<S>, graph: TaskGraph, args: A): void {
    const words = this.#control;
    let event = 0;
    let since = performance.now();
    for (const step of this.#steps(kernel, shared, graph, args)) {
      if (step === TASK_DONE) continue;
      if (step !== event) {
        event = step;
        since = performance.now();
      }
      if (Atomics.wait(words, EVENT, step, 1000) === 'timed-out' && performance.now() - since > this.#stallMilliseconds) {
        this.#lose(-1, new Error(`no task ended for ${this.#stallMilliseconds / 1000} s`));
      }
    }
  }

  /** Ends the workers. Results already computed stay valid on the calling thread; further phases throw. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#lost === undefined) this.#post({ type: 'stop' });
    for (const port of this.#ports) port.close();
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }

  #hold<S>(state: S, modules: readonly string[], solo: boolean): Shared<S> {
    this.#check();
    const id = this.#nextId++;
    this.#executor.hold(id, state);
    if (!solo) this.#post({ type: 'share', id, state, modules });
    return { id, state, solo };
  }

  #check(): void {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#closed) throw new WorkerError('The team is closed: open another one.');
  }

  #post(message: Message): void {
    if (this.#ports.length === 0) return;
    for (const port of this.#ports) port.postMessage(message);
    Atomics.add(this.#control, GENERATION, 1);
    Atomics.notify(this.#control, GENERATION);
  }

  #stop(failure: number): void {
    Atomics.compareExchange(this.#control, FAILED, NO_FAILURE, failure);
    signalEvent(this.#control);
  }

  #lose(worker: number, error: unknown): void {
    if (this.#closed) return;
    const message = error instanceof Error ? error.message : String(error);
    this.#lost ??= new WorkerError(`${worker > 0 ? `Worker ${worker}` : 'A worker'} died (${message}): the team is unusable, open another one.`, { worker, message });
    this.#stop(MAIN_FAILED);
  }

  /** The fork–join itself; yields what `drain` yields, then an event value to sleep on until every worker has left the graph. */
  *#steps<S, A>(kernel: PhaseKernel<S, A>, shared: Shared<S>, graph: TaskGraph, args: A): Generator<number, void> {
    this.#check();
    if (this.#running) throw new WorkerError('A synchronous phase was started while another phase of the same team runs: await that one first.');
    const control = this.#control;
    const helpers = shared.solo ? 0 : this.#ports.length;
    let failure: unknown;
    this.#running = true;
    try {
      const tail = resetRun(graph);
      Atomics.store(control, HEAD, 0);
      Atomics.store(control, TAIL, tail);
      Atomics.store(control, FINISHED, 0);
      Atomics.store(control, FAILED, NO_FAILURE);
      Atomics.store(control, DONE, 0);
      if (helpers > 0) this.#post(this.#runMessage(kernel, shared, graph, args));
      try {
        const body = this.#executor.body(shared.id, kernel as PhaseKernel<never, never>);
        yield* drain(control, graph, (task) => body(task, args));
      } catch (error) {
        failure = error;
        this.#stop(MAIN_FAILED);
      }
      while (Atomics.load(control, FINISHED) < helpers && this.#lost === undefined) {
        const event = Atomics.load(control, EVENT);
        if (Atomics.load(control, FINISHED) < helpers) yield event;
      }
    } finally {
      this.#running = false;
    }
    if (failure !== undefined) throw failure;
    if (this.#lost !== undefined) throw this.#lost;
    const failed = Atomics.load(control, FAILED);
    if (failed === ABORTED) throw new AbortedError();
    if (failed > 0) this.#rethrow();
  }

  #runMessage<S, A>(kernel: PhaseKernel<S, A>, shared: Shared<S>, graph: TaskGraph, args: A): Message {
    let graphId = this.#graphIds.get(graph);
    const known = graphId !== undefined;
    if (graphId === undefined) {
      graphId = this.#nextId++;
      this.#graphIds.set(graph, graphId);
      this.#graphs.register(graph, graphId);
    }
    return { type: 'run', state: shared.id, module: kernel.module, name: kernel.name, graphId, graph: known ? null : graph, args };
  }

  /** Throws what the workers reported; all reports are read, the first of the lowest worker counts. */
  #rethrow(): never {
    let first: WorkerError | Error | undefined;
    this.#ports.forEach((port, i) => {
      for (let received = receiveMessageOnPort(port); received !== undefined; received = receiveMessageOnPort(port)) {
        const error = reviveError(received.message as ErrorReport, i + 1);
        first ??= error;
      }
    });
    throw first ?? new WorkerError('A worker failed without a report.');
  }
}
