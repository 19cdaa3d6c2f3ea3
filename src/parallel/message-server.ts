/**
 * A worker's side of its team: does what the messages say, one after the other. How they arrive differs between Node
 * (worker.ts) and browsers (worker-browser.ts).
 */
import { openWorkerBlas } from '../dense/backend.js';
import { collectGarbage } from './collect.js';
import { EVENT, FAILED, FINISHED, signalEvent } from './control-block.js';
import { Executor } from './executor.js';
import { sendFailure, type Message, type Thrown } from './messages.js';
import { drain, TASK_DONE } from './schedule.js';
import type { TaskDefinition } from './task.js';
import type { TaskGraph } from './task-graph.js';
import type { FailureReport, WorkerStart } from './thread.js';

/** Holds what a worker was sent, and runs its share of each phase. */
export class MessageServer {
  readonly #worker: number;
  readonly #control: Int32Array;
  readonly #executor: Executor;
  readonly #post: (report: FailureReport) => void;
  readonly #graphs = new Map<number, TaskGraph>();
  #running = false;

  /**
   * `post` takes reports of failures to the team, and throws for those that it cannot copy. Throws LibraryError where
   * the backend cannot be opened.
   */
  constructor({ worker, workers, control, blas }: WorkerStart, post: (report: FailureReport) => void) {
    this.#worker = worker;
    this.#control = control;
    this.#executor = new Executor(openWorkerBlas(blas), worker, workers, control);
    this.#post = post;
  }

  /** Does what a message says, and says whether there are more to come. What a task throws is reported. */
  async handle(message: Message): Promise<boolean> {
    if (message.type === 'stop') return false;
    if (message.type === 'release') {
      this.#executor.release(message.id);
    } else if (message.type === 'share') {
      await this.#hold(message);
    } else if (message.type === 'forget') {
      this.#graphs.delete(message.graphId);
    } else if (message.type === 'collect') {
      collectGarbage();
    } else {
      this.#running = true;
      try {
        await this.#run(message);
      } catch (error) {
        this.#fail(error);
      }
      this.#running = false;
      this.#leave();
    }
    return true;
  }

  /** To be called where the thread ends by itself: says so where it was running a task. */
  abandon(): void {
    if (!this.#running) return;
    this.#fail(new Error('the worker exited while it ran a task'));
    this.#leave();
  }

  #leave(): void {
    Atomics.add(this.#control, FINISHED, 1);
    signalEvent(this.#control);
  }

  #fail(error: unknown): void {
    sendFailure(this.#post, error);
    Atomics.compareExchange(this.#control, FAILED, 0, this.#worker + 1);
  }

  // Methods of their own: what the variables of `handle` held last, the state of a phase among it, is never collected.
  async #hold({ id, state, modules }: Message & { readonly type: 'share' }): Promise<void> {
    const loading = this.#executor.load(modules);
    const failure = await loading.then(
      () => undefined,
      (value: unknown): Thrown => ({ value }),
    );
    this.#executor.hold(id, state, failure);
  }

  async #run(message: Message & { readonly type: 'run' }): Promise<void> {
    if (message.graph !== null) this.#graphs.set(message.graphId, message.graph);
    await this.#executor.load([message.module]);
    const definition = this.#executor.context.modules(message.module)[message.name] as TaskDefinition<never, never>;
    const body = this.#executor.body(message.state, definition);
    const graph = this.#graphs.get(message.graphId)!;
    const control = this.#control;
    for (const event of drain(control, graph, this.#worker, (task) => body(task, message.args), body.part)) {
      if (event !== TASK_DONE) Atomics.wait(control, EVENT, event);
    }
  }
}
