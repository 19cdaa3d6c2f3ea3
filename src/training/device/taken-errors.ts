/**
 * Errors at the outputs of a slice, made here and taken back through all layers on a device, by the pass 'draw'.
 */
import { floats, type FloatArray } from '../../core/floats.js';
import type { DeviceTape } from '../../layers/device-tape.js';
import type { Node } from '../../tape/node.js';
import { numbersOf } from '../../tape/shape.js';
import type { DeviceBatch, Slice } from './device-batch.js';

/** Of what errors are taken back, and whether they are made from the outputs. */
export interface TakenBack {
  readonly slice: Slice;
  readonly tape: DeviceTape;
  readonly reads: boolean;
}

/**
 * Takes the errors back that `fill` sets: it is given the numbers of the nodes that it asks for, leaves of the pass to
 * be set, or the outputs, where they are read. Rejects with DeviceError, DeviceLostError.
 */
export async function takeErrorsBack(
  batch: DeviceBatch,
  { slice, tape, reads }: TakenBack,
  fill: (numbers: (node: Node) => FloatArray) => void,
): Promise<void> {
  const { count } = slice;
  const { output, phases } = tape.plan;
  const outputs = reads
    ? await batch.read(numbersOf(output.shape, count), tape.at(output))
    : floats(0, batch.precision);
  const errors = new Map<Node, FloatArray>();
  fill((node) => {
    if (node === output) return outputs;
    const own = floats(numbersOf(node.shape, count), batch.precision);
    errors.set(node, own);
    return own;
  });
  for (const [node, values] of errors) batch.write(values, tape.at(node));
  const phase = phases.get('draw')!;
  (await batch.prepared(`draw ${batch.placeOf(slice)}`, () => tape.prepare(phase, count))).run();
}
