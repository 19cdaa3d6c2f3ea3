/**
 * VᵀGV of one or two vectors on a device, G the Gauss–Newton matrix of a batch's first samples: J·v and H·J·v of each
 * in a pass over tangents, their products in parts, which are joined here.
 */
import { divisorOf } from '../../layers/targets.js';
import type { DeviceTape } from '../../layers/device-tape.js';
import type { DeviceStep } from '../../tape/device/recorder.js';
import { numbersOf } from '../../tape/shape.js';
import type { DeviceBatch } from './device-batch.js';
import { dotStep, partsOf } from './device-vectors.js';
import { copyStep } from './launch-steps.js';

/** A product of J·v_i and H·J·v_j, in parts from `at` on. */
interface FormDot {
  readonly i: number;
  readonly j: number;
  readonly at: number;
  readonly count: number;
}

/** The k × k form of vectors at k ≤ 2 places, without regularization. */
export async function quadraticForm(
  batch: DeviceBatch,
  places: readonly number[],
  samples: number,
): Promise<Float64Array> {
  const { at, training } = batch.layout;
  const phase = training.phases.get('tangent')!;
  const size = places.length;
  const form = new Float64Array(size * size);
  const share = 1 / divisorOf(batch.weightOf(samples));
  await batch.overPassed(samples, async (slice, tape) => {
    const place = batch.placeOf(slice);
    const dots: FormDot[] = [];
    for (const [j, vector] of places.entries()) {
      const direct = [copyStep(at.direction, vector, batch.network.trained)];
      (await batch.prepared(`direction ${vector}`, () => direct)).run();
      (await batch.prepared(`tangent ${place}`, () => tape.prepare(phase, slice.count))).run();
      const steps = formSteps(batch, tape, { j, last: j === size - 1, samples: slice.count }, dots);
      (await batch.prepared(`form ${j} ${size} ${place}`, () => steps)).run();
    }
    const end = dots[dots.length - 1];
    const numbers = await batch.read(end.at + end.count - at.forms, at.forms);
    for (const { i, j, at: begin, count } of dots) {
      let sum = 0;
      for (const part of numbers.subarray(begin - at.forms, begin - at.forms + count)) sum += part;
      form[i + size * j] += share * sum;
      if (i < j) form[j + size * i] += share * sum;
    }
  });
  return form;
}

/** The launches of vector j behind its pass; adds the products that they make to `dots`. */
function formSteps(
  { layout: { at, training } }: DeviceBatch,
  tape: DeviceTape,
  { j, last, samples }: { readonly j: number; readonly last: boolean; readonly samples: number },
  dots: FormDot[],
): DeviceStep[] {
  const steps: DeviceStep[] = [];
  let kept = at.tangents;
  for (const { tangent, image } of training.tangents) {
    const n = numbersOf(tangent.shape, samples);
    for (let i = 0; i <= j; i++) {
      const before = dots[dots.length - 1];
      const to = before === undefined ? at.forms : before.at + before.count;
      dots.push({ i, j, at: to, count: partsOf(n) });
      steps.push(dotStep({ to, x: i < j ? kept : tape.at(tangent), y: tape.at(image), n }));
    }
    if (!last) steps.push(copyStep(kept, tape.at(tangent), n));
    kept += n;
  }
  return steps;
}
