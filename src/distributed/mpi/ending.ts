/**
 * How a rank ends that did not close its communicator: well (MPI_Finalize) or badly (MPI_Abort), and in no case so that
 * other ranks wait for it for ever, or that mpirun takes a good end for a bad one.
 */
import type { MpiSession } from './session.js';

/**
 * Watches the process until the returned function is called. At its end with status 0 MPI is finalized. With another
 * one, or while operations are under way, every rank of the run is ended by MPI_Abort with that status, after what an
 * uncaught error says was written: Node would write it after MPI_Abort, which does not return. (A process that a signal
 * kills runs nothing more; launchers notice that, and end the other ranks.)
 */
export function watchEnd(session: MpiSession): () => void {
  let uncaught: unknown;
  const remember = (error: unknown): void => {
    if (process.listenerCount('uncaughtException') === 0) uncaught = error;
  };
  const end = (code: number): void => {
    if (code === 0 && isIdle(session)) {
      session.call('MPI_Finalize');
      return;
    }
    // Synchronous, but for terminals and pipes of Windows.
    if (uncaught !== undefined) process.stderr.write(`rank ${session.rank} of ${session.size}: ${textOf(uncaught)}\n`);
    abortAll(session, code === 0 ? 1 : code);
  };
  process.on('uncaughtExceptionMonitor', remember);
  process.on('exit', end);
  return () => {
    process.off('uncaughtExceptionMonitor', remember);
    process.off('exit', end);
  };
}

/** Launchers forward what ranks write; Hydra drops what it has not read when it hears of an abort. In milliseconds. */
const FORWARDING = 200;

/** Ends every rank of the run with that status; does not return. */
export function abortAll(session: MpiSession, status: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FORWARDING);
  session.call('MPI_Abort', session.handles.world, status);
}

/** Whether all that was started is done: sends that nobody waited for mostly are. */
function isIdle(session: MpiSession): boolean {
  for (const request of [...session.pending]) {
    try {
      if (!request.done()) return false;
    } catch {
      return false;
    }
  }
  return true;
}

const textOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : `Uncaught ${String(error)}`;
