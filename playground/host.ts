/**
 * The worker of the page: runs the library, one task at a time. A new task ends the one before.
 */
import { openTeam } from 'hmatrix/teams';
import type { Progress } from 'hmatrix';
import { compressTask } from './compress-task.js';
import type { Answer, Request, Reply, Task } from './protocol.js';
import type { Run } from './run.js';

type Do<K extends Task['kind']> = (task: Extract<Task, { readonly kind: K }>, run: Run) => Promise<void>;

/** Tasks that are not asked for at once are loaded when they are. */
const TASKS: { readonly [K in Task['kind']]: Do<K> } = {
  compress: compressTask,
  card: async (task, run) => (await import('./card-task.js')).cardTask(task, run),
  compare: async (task, run) => (await import('./compare-task.js')).compareTask(task, run),
  hessian: async (task, run) => (await import('./hessian-task.js')).hessianTask(task, run),
};

const team = openTeam();
let running = new AbortController();
let ended: Promise<void> = Promise.resolve();

async function serve({ id, task }: Request, signal: AbortSignal): Promise<void> {
  const answer = (one: Answer): void => {
    if (!signal.aborted) postMessage({ id, answer: one } satisfies Reply);
  };
  const onProgress = ({ phase, done, total }: Progress): void => {
    answer({ kind: 'progress', phase, done, total });
  };
  try {
    await (TASKS[task.kind] as Do<Task['kind']>)(task as never, {
      control: { team: await team, signal, onProgress },
      answer,
    });
    answer({ kind: 'done' });
  } catch (error) {
    answer({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}

addEventListener('message', ({ data }: MessageEvent<Request>) => {
  running.abort();
  const { signal } = (running = new AbortController());
  ended = ended.then(() => (signal.aborted ? undefined : serve(data, signal)));
});
