/** What a caller sees of something that a worker threw. */
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { revive, sendFailure } from '#hmatrix/parallel/messages.js';
import type { FailureReport } from '#hmatrix/parallel/thread.js';

export function throughWorker(thrown: unknown, worker: number): unknown {
  const { port1, port2 } = new MessageChannel();
  sendFailure((report) => {
    port1.postMessage(report);
  }, thrown);
  const report = receiveMessageOnPort(port2)?.message as FailureReport;
  port1.close();
  return revive(report, worker).value;
}
