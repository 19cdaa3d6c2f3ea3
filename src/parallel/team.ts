/**
 * The team: n workers over shared memory, the calling thread being worker 0.
 * The others are plain threads (threads.ts); a phase is a fork–join over a task graph (architecture, section 3).
 */
import { requireWhole } from '../core/checks.js';
import { availableParallelism } from 'node:os';
import { throwIfAborted, type RunControl } from '../core/context.js';
import { AbortedError, ClosedError, WorkerError } from '../core/errors.js';
import { nextTurn } from '../core/event-loop.js';
import { requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { sharedInt32 } from '../core/shared-array.js';
import { openBlas } from '../dense/backend.js';
import type { Blas } from '../dense/blas.js';
import type { Communicator } from '../distributed/communicator.js';
import { selfCommunicator } from '../distributed/self.js';
import { busyOf, setTimed, type Busy } from './busy-times.js';
import { collectGarbage, isWorthCollecting } from './collect.js';
import { controlWords, EVENT, FAILED, FINISHED, GENERATION, signalEvent } from './control-block.js';
import { Executor } from './executor.js';
import type { TaskDefinition } from './task.js';
import { revive, send, type Message, type Thrown } from './messages.js';
import { warnOfWorkers } from './oversubscription.js';
import { Phase } from './phase.js';
import { doneTasks, drain, resetRun, SPINS, TASK_DONE } from './schedule.js';
import type { TaskGraph } from './task-graph.js';
import type { Thread, WorkerStart } from './thread.js';
import { startThreads } from './threads.js';

/** Size, backend and patience of a team. */
export interface TeamOptions {
  /**
   * Workers, the calling thread included, at most 1024; default: the cores the process may use. More than four times as
   * many bring a warning of the process, once.
   */
  readonly workers?: number | undefined;
  /** Dense backend (see `openBlas`): 'portable', a library's path or name, or undefined for the first found. */
  readonly blas?: string | undefined;
  /**
   * A synchronous phase in which nothing happens for this long has lost a worker to an endless task; default 60. A
   * worker whose thread has ended is noticed at once.
   */
  readonly stallSeconds?: number | undefined;
  /**
   * The ranks that this team's process is one of (`openMpi`): every function that gets the team shares its work with
   * theirs, and must be called by all of them. Default: one process.
   */
  readonly communicator?: Communicator | undefined;
}
/** The keys of {@link TeamOptions}. */
const TEAM_KEYS: KeysOf<TeamOptions> = { workers: 'number', blas: 'text', stallSeconds: 'number', communicator: true };

/** A state every worker of the team holds. */
export interface Shared<S> {
  readonly id: number;
  readonly state: S;
  /** Held by the calling thread only, because something in it cannot be shared: phases over it run there. */
  readonly solo: boolean;
}

/** When the workers of a team were busy in a phase that `run` ran. */
export interface PhaseTimes {
  readonly phase: string;
  /** By worker, on the clock of `sharedClock`; null where it had no task. */
  readonly workers: readonly (Busy | null)[];
}

const NO_FAILURE = 0;
const ABORTED = -1;
const MAIN_FAILED = -2;
const CLOSED = -3;
const EVENT_LOOP_MILLISECONDS = 40;
/** A synchronous phase that has waited this long looks whether the threads it waits for are there. */
const LIVENESS_MILLISECONDS = 20;
/** Tasks that were begun have this long to end when the team is closed; then their threads are ended. */
const CLOSING_MILLISECONDS = 5000;

/** What a team is made of once its threads run. */
interface TeamParts {
  readonly workers: number;
  readonly blas: Blas;
  /** Which backend was asked for. */
  readonly choice: TeamOptions['blas'];
  /** Worker w's at w − 1. */
  readonly threads: readonly Thread[];
  /** The shared control block (schedule.ts). */
  readonly control: Int32Array;
  readonly stallSeconds: number;
  readonly communicator: Communicator;
}

/**
 * A team of workers: `share` gives them a state, `run` and `runSync` have them do a phase's tasks, `close` ends them.
 */
export class Team {
  /** Number of workers, the calling thread included. */
  readonly workers: number;
  /** The ranks that its process is one of. */
  readonly communicator: Communicator;
  readonly #threads: readonly Thread[];
  readonly #control: Int32Array;
  readonly #executor: Executor;
  readonly #choice: TeamOptions['blas'];
  readonly #stallMilliseconds: number;
  readonly #graphIds = new WeakMap<TaskGraph, number>();
  readonly #graphs: FinalizationRegistry<number>;
  #nextId = 1;
  #lost: WorkerError | undefined;
  #closing: Promise<void> | undefined;
  /** There are no threads any more. */
  #ended = false;
  #current: Phase | undefined;
  readonly #observers = new Set<(times: PhaseTimes) => void>();
  /** Resolves when the asynchronous phase before has left: phases of one team run one after the other. */
  #turnstile: Promise<void> = Promise.resolve();

  private constructor({ workers, blas, choice, threads, control, stallSeconds, communicator }: TeamParts) {
    this.workers = workers;
    this.#choice = choice;
    this.communicator = communicator;
    this.#threads = threads;
    this.#control = control;
    this.#stallMilliseconds = 1000 * stallSeconds;
    this.#executor = new Executor(blas, 0, workers, control, () => this.#noticeEnded());
    this.#graphs = new FinalizationRegistry((graphId) => {
      if (this.#closing === undefined) this.#post({ type: 'forget', graphId });
    });
  }

  /**
   * Starts a team; resolves when every worker is ready. Throws LibraryError where the chosen backend cannot be opened.
   */
  static async open(options: TeamOptions = {}): Promise<Team> {
    requireKnownOptions(options, TEAM_KEYS, 'openTeam');
    const workers = requireWhole(options.workers ?? availableParallelism(), 'workers', 1, 1024);
    warnOfWorkers(workers);
    const control = sharedInt32(controlWords(workers));
    const { stallSeconds = 60, communicator = selfCommunicator() } = options;
    requireRole(communicator, 'communicator', 'The communicator of openTeam');
    const starts: WorkerStart[] = [];
    for (let worker = 1; worker < workers; worker++) starts.push({ worker, workers, control, blas: options.blas });
    // The threads start while this one opens the backend.
    const starting = startThreads(starts);
    let blas: Blas;
    try {
      blas = openBlas(options.blas);
    } catch (error) {
      await starting.then(
        (started) => Promise.all(started.map((thread) => thread.end())),
        () => undefined,
      );
      throw error;
    }
    const threads = await starting;
    const team = new Team({ workers, blas, choice: options.blas, threads, control, stallSeconds, communicator });
    threads.forEach((thread, index) => {
      if (thread.hasEnded()) team.#lose(index + 1, new Error('its thread has ended'));
      thread.onEnd((error) => {
        team.#lose(index + 1, error);
      });
    });
    return team;
  }

  /** Starts another team of as many workers and the same backend, of one process. Throws as `open`. */
  openAlone(): Promise<Team> {
    return Team.open({
      workers: this.workers,
      blas: this.#choice,
      stallSeconds: this.#stallMilliseconds / 1000,
    });
  }

  get blas(): Blas {
    return this.#executor.context.blas;
  }

  /**
   * Hands a state to every worker, after loading the modules it names. With `solo`, only the calling thread holds it.
   * The state must be structured-cloneable (but for solo) and must not change afterwards except through shared memory.
   */
  async share<S>(
    state: S,
    options: { readonly modules?: readonly string[] | undefined; readonly solo?: boolean | undefined } = {},
  ): Promise<Shared<S>> {
    const modules = options.modules ?? [];
    await this.#executor.load(modules);
    return this.#hold(state, modules, options.solo ?? false);
  }

  /** As `share`, at once, for a state that names no modules. */
  shareNow<S>(state: S): Shared<S> {
    return this.#hold(state, [], false);
  }

  /** Releases a state, so that its memory can be freed; nothing happens on a closed team. */
  release(shared: Shared<unknown>): void {
    this.#executor.release(shared.id);
    if (!shared.solo && this.#closing === undefined && this.#lost === undefined)
      this.#post({ type: 'release', id: shared.id });
  }

  /**
   * Collects the garbage of all threads where the `bytes` that were let go are worth it (collect.ts): the memory of
   * states that were released, and of shared arrays that nothing refers to, is free then. Between phases.
   */
  collect(bytes: number): void {
    if (!isWorthCollecting(bytes) || this.#closing !== undefined || this.#lost !== undefined) return;
    this.#post({ type: 'collect' });
    collectGarbage();
  }

  /**
   * Has `observer` called after every phase of `run` that succeeds with when each worker was busy in it; returns what
   * ends that. Phases of `runSync` are not told. Cost: two readings of a clock for each time that a worker waits.
   */
  observe(observer: (times: PhaseTimes) => void): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  /**
   * Runs every task of the graph and returns when all are done. Between tasks the calling thread serves its event loop,
   * reports progress and honours the signal. Phases that are started while one runs wait for its end; `runSync` does
   * not wait, and then takes the remaining tasks itself. Rejects with what the first failing task threw, AbortedError,
   * ClosedError where the team is closed, or WorkerError where a worker died.
   */
  // eslint-disable-next-line max-params -- who asks, what runs, on what, in which order, with which arguments
  async run<S, A = undefined>(
    phase: string,
    definition: TaskDefinition<S, A>,
    shared: Shared<S>,
    graph: TaskGraph,
    args: A,
    control: RunControl = {},
  ): Promise<void> {
    const before = this.#turnstile;
    let leave = (): void => undefined;
    this.#turnstile = new Promise((resolve) => {
      leave = resolve;
    });
    try {
      await before;
      throwIfAborted(control.signal);
      const timed = this.#observers.size > 0;
      await this.#runAlone(phase, graph.count, () => this.#begin(definition, shared, graph, args, timed), control);
      if (timed) this.#tell({ phase, workers: busyOf(this.#control) });
    } finally {
      leave();
    }
  }

  #tell(times: PhaseTimes): void {
    for (const observer of this.#observers) observer(times);
  }

  /** Begins a phase of `total` tasks and takes its steps, with turns for the event loop. */
  async #runAlone(name: string, total: number, begin: () => Phase, control: RunControl): Promise<void> {
    const words = this.#control;
    const phase = begin();
    // Once the phase has ended the words are those of the next.
    const report = (): void =>
      control.onProgress?.({
        phase: name,
        done: phase.ended ? total : Math.min(doneTasks(words), total),
        total,
      });
    let served = performance.now();
    const turn = async (): Promise<void> => {
      if (performance.now() - served < EVENT_LOOP_MILLISECONDS) return;
      await nextTurn();
      served = performance.now();
      if (phase.ended) return;
      report();
      if (control.signal?.aborted && !phase.ended) this.#stop(ABORTED);
    };
    let refused: Thrown | undefined;
    for (let step = phase.advance(); !phase.ended; step = phase.advance()) {
      if (step !== TASK_DONE) Atomics.wait(words, EVENT, step, 10);
      try {
        await turn();
      } catch (value) {
        // The caller's progress callback threw: end the run first, then say so.
        refused ??= { value };
        if (!phase.ended) this.#stop(MAIN_FAILED);
      }
    }
    phase.conclude();
    if (refused !== undefined) throw refused.value;
    report();
    throwIfAborted(control.signal);
  }

  /**
   * As `run`, without serving the event loop: for the products of iterative solvers. Where an asynchronous phase is
   * under way (its function waits for a turn of the event loop), that one is finished first, here and now: its outcome
   * goes to the one who started it. Throws WorkerError where a task of the running phase itself calls it.
   */
  runSync<S, A = undefined>(definition: TaskDefinition<S, A>, shared: Shared<S>, graph: TaskGraph, args: A): void {
    const phase = this.#begin(definition, shared, graph, args, false);
    this.#finish(phase, this.#stallMilliseconds);
    phase.conclude();
  }

  /**
   * Ends the workers: a phase that runs or waits ends with ClosedError, as soon as the tasks that were begun have
   * ended. Results already computed stay valid on the calling thread; further phases throw.
   */
  close(): Promise<void> {
    return (this.#closing ??= Promise.resolve().then(() => this.#end()));
  }

  async #end(): Promise<void> {
    if (this.#current !== undefined) {
      this.#stop(CLOSED);
      let timer: ReturnType<typeof setTimeout> | undefined;
      await Promise.race([
        this.#turnstile,
        new Promise((resolve) => {
          timer = setTimeout(resolve, CLOSING_MILLISECONDS);
        }),
      ]);
      clearTimeout(timer);
    }
    if (this.#lost === undefined) this.#post({ type: 'stop' });
    await Promise.all(this.#threads.map((thread) => thread.end()));
    this.#ended = true;
  }

  /** Makes a phase the current one, after the one before has ended. */

  #begin<S, A>(definition: TaskDefinition<S, A>, shared: Shared<S>, graph: TaskGraph, args: A, timed: boolean): Phase {
    this.#check();
    const before = this.#current;
    if (before !== undefined) {
      before.requireBetweenTasks();
      this.#finish(before, Number.POSITIVE_INFINITY);
      // Such a task's call may have written into the workspace of the operator that this phase is about to use.
      if (before.interrupted)
        throw new WorkerError(
          'While this phase waited, a task of the phase before called for another one on the same team (see the ' +
            'error of the function that started it): repeat the call.',
        );
      this.#check();
    }
    const phase = new Phase(this.#steps(definition, shared, graph, args, timed));
    this.#current = phase;
    return phase;
  }

  /**
   * Takes the remaining steps of a phase at once. Workers in which nothing happens for `stall` milliseconds are given
   * up.
   */
  #finish(phase: Phase, stall: number): void {
    const words = this.#control;
    let event = 0;
    let since = performance.now();
    for (let step = phase.advance(); !phase.ended; step = phase.advance()) {
      if (step === TASK_DONE) continue;
      if (step !== event) {
        event = step;
        since = performance.now();
      }
      if (Atomics.wait(words, EVENT, step, LIVENESS_MILLISECONDS) !== 'timed-out') continue;
      if (!this.#noticeEnded() && performance.now() - since > stall)
        this.#lose(-1, new Error(`no task ended for ${stall / 1000} s`));
    }
  }

  /** Gives the team up where a thread has ended; says whether one has. */
  #noticeEnded(): boolean {
    const ended = this.#threads.findIndex((thread) => thread.hasEnded());
    if (ended >= 0) this.#lose(ended + 1, new Error('its thread has ended'));
    return ended >= 0;
  }

  #hold<S>(state: S, modules: readonly string[], solo: boolean): Shared<S> {
    this.#check();
    const id = this.#nextId++;
    if (!solo) this.#post({ type: 'share', id, state, modules });
    this.#executor.hold(id, state);
    return { id, state, solo };
  }

  #check(): void {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#closing !== undefined) throw new ClosedError();
  }

  #post(message: Message): void {
    if (this.#threads.length === 0) return;
    send(this.#threads, message);
    Atomics.add(this.#control, GENERATION, 1);
    Atomics.notify(this.#control, GENERATION);
  }

  #stop(failure: number): void {
    Atomics.compareExchange(this.#control, FAILED, NO_FAILURE, failure);
    signalEvent(this.#control);
  }

  #lose(worker: number, error: unknown): void {
    if (this.#closing !== undefined) return;
    const message = error instanceof Error ? error.message : String(error);
    this.#lost ??= new WorkerError(
      `${worker > 0 ? `Worker ${worker}` : 'A worker'} died (${message}): the team is unusable, open another one.`,
      { worker, message },
    );
    this.#stop(MAIN_FAILED);
  }

  /**
   * The fork–join itself; yields what `drain` yields, then an event value to sleep on until every worker has left the
   * graph.
   */

  *#steps<S, A>(
    definition: TaskDefinition<S, A>,
    shared: Shared<S>,
    graph: TaskGraph,
    args: A,
    timed: boolean,
  ): Generator<number, void> {
    const control = this.#control;
    const helpers = shared.solo ? 0 : this.#threads.length;
    let thrown: Thrown | undefined;
    try {
      resetRun(control, graph);
      setTimed(control, timed);
      if (helpers > 0) this.#postRun(definition, shared, graph, args);
      try {
        const body = this.#executor.body(shared.id, definition as TaskDefinition<never, never>);
        yield* drain(control, graph, 0, (task) => body(task, args), body.part);
      } catch (value) {
        thrown = { value };
        this.#stop(MAIN_FAILED);
      }
      // The others end within tens of microseconds where tasks are even: to sleep and be woken takes longer.
      for (let spin = 0; spin < SPINS && Atomics.load(control, FINISHED) < helpers; spin++);
      while (Atomics.load(control, FINISHED) < helpers && this.#lost === undefined && !this.#ended) {
        const event = Atomics.load(control, EVENT);
        if (Atomics.load(control, FINISHED) < helpers) yield event;
      }
    } finally {
      this.#current = undefined;
    }
    const failed = Atomics.load(control, FAILED);
    const reported = failed === NO_FAILURE ? undefined : this.#reported();
    if (thrown !== undefined) throw thrown.value;
    if (this.#lost !== undefined) throw this.#lost;
    if (failed === ABORTED) throw new AbortedError();
    if (failed === CLOSED) throw new ClosedError('The team was closed while a phase ran on it.');
    if (failed > 0)
      throw reported === undefined ? new WorkerError('A worker failed without a report.') : reported.value;
  }

  #postRun<S, A>(definition: TaskDefinition<S, A>, shared: Shared<S>, graph: TaskGraph, args: A): void {
    const known = this.#graphIds.get(graph);
    const graphId = known ?? this.#nextId++;
    this.#post({
      type: 'run',
      state: shared.id,
      module: definition.module,
      name: definition.name,
      graphId,
      graph: known === undefined ? graph : null,
      args,
    });
    if (known !== undefined) return;
    this.#graphIds.set(graph, graphId);
    this.#graphs.register(graph, graphId);
  }

  /** What the workers reported: all reports are read, the first of the lowest worker counts. */
  #reported(): Thrown | undefined {
    let first: Thrown | undefined;
    this.#threads.forEach((thread, i) => {
      for (let report = thread.report(); report !== undefined; report = thread.report()) {
        first ??= revive(report, i + 1);
      }
    });
    return first;
  }
}
