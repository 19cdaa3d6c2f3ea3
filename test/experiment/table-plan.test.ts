/** What a table compares and at which budgets; images as data of networks. */
import { describe, expect, it } from 'vitest';
import { OptionError } from '#hmatrix/core/errors.js';
import { halvedImages, networkData } from '#hmatrix/experiment/network-data.js';
import { planTable, tableBudgets, TABLE_METHODS } from '#hmatrix/experiment/table-plan.js';
import { defineNetwork } from '#hmatrix/network/network.js';

describe('the budgets', () => {
  it('are_the_published_ones_at_the_published_sizes', () => {
    expect(tableBudgets(15_680)).toEqual({ low: 0.0123, high: 0.1177 });
    expect(tableBudgets(39_200)).toEqual({ low: 0.0053, high: 0.0462 });
    expect(tableBudgets(78_400)).toEqual({ low: 0.0028, high: 0.0231 });
  });

  it('are_as_many_numbers_a_row_elsewhere_and_at_most_half_of_the_matrix', () => {
    expect(tableBudgets(20_000)).toEqual({ low: 208 / 20_000, high: 1811 / 20_000 });
    expect(tableBudgets(300)).toEqual({ low: 0.5, high: 0.5 });
    expect(tableBudgets(15_680, 0.2)).toEqual({ low: 0.2, high: 0.2 });
    expect(tableBudgets(15_680, undefined, 0.005)).toEqual({ low: 0.005, high: 0.005 });
  });

  it('are_refused_where_they_make_no_sense', () => {
    for (const [low, high] of [
      [0, 0.1],
      [0.1, 2],
      [0.2, 0.1],
      [1e-9, 0.1],
      [Number.NaN, 0.1],
    ])
      expect(() => tableBudgets(15_680, low, high)).toThrow(OptionError);
  });
});

describe('the plan', () => {
  it('names_the_rows_of_the_published_table', () => {
    const names = planTable(['hm', 'rsvd', 'kfac'], { low: 0.01, high: 0.1 }).map(({ name, method, share }) => [
      name,
      method,
      share,
    ]);
    expect(names).toEqual([
      ['HM-low', 'hm', 0.01],
      ['HM-high', 'hm', 0.1],
      ['RSVD-low', 'rsvd', 0.01],
      ['RSVD-high', 'rsvd', 0.1],
      ['KFAC-low', 'kfac-mc', 0.01],
      ['KFAC-high', 'kfac', 0.1],
    ]);
  });

  it('takes_every_method_once_and_no_other', () => {
    const all = planTable([...TABLE_METHODS, 'hm'], { low: 0.01, high: 0.1 });
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
    expect(() => planTable(['svd'], { low: 0.01, high: 0.1 })).toThrow(/no method "svd"; there are hm/);
    expect(() => planTable([], { low: 0.01, high: 0.1 })).toThrow(OptionError);
  });
});

describe('images', () => {
  const images = {
    dimension: 784,
    count: 2,
    coordinates: Float64Array.from({ length: 1568 }, (_, k) => (k % 784) / 784),
  };

  it('are_halved_by_means_of_four_pixels', () => {
    const { dimension, count, coordinates } = halvedImages(images);
    expect([dimension, count]).toEqual([196, 2]);
    // Pixel (i, j) of a ramp k/784, k = 28 i + j: the mean of a 2 × 2 square is its centre, k + 14.5.
    for (const [k, i, j] of [
      [0, 0, 0],
      [1, 3, 5],
      [1, 13, 13],
    ])
      expect(coordinates[196 * k + 14 * i + j]).toBeCloseTo((56 * i + 2 * j + 14.5) / 784, 14);
  });

  it('are_targets_of_autoencoders_and_have_unit_vectors_as_targets_in_classifiers', () => {
    const coder = networkData(defineNetwork({ widths: [196, 3, 196] }), 'mse', { images }, 2).batch(1, 1);
    expect(coder.targets).toEqual(coder.inputs);
    const classifier = networkData(
      defineNetwork({ widths: [784, 3] }),
      'cross-entropy',
      { images, labels: Int32Array.of(2, 0) },
      2,
    ).batch(0, 2);
    expect(Array.from(classifier.targets.data)).toEqual([0, 0, 1, 1, 0, 0]);
    expect(() => networkData(defineNetwork({ widths: [784, 3] }), 'mse', { images }, 2)).toThrow(/needs labels/);
    expect(() =>
      networkData(defineNetwork({ widths: [784, 2] }), 'cross-entropy', { images, labels: Int32Array.of(2, 0) }, 2),
    ).toThrow(/Label 2/);
  });

  it.each([0, 1, 3])('have_as_many_labels_as_there_are_of_them_whatever_the_samples: %i of 2', (count) => {
    const labels = new Int32Array(count);
    for (const samples of [1, 2]) {
      for (const [widths, loss] of [
        [[784, 3], 'cross-entropy'],
        [[196, 3, 196], 'mse'],
      ] as const) {
        const network = defineNetwork({ widths });
        expect(() => networkData(network, loss, { images, labels }, samples)).toThrow(`2 images and ${count} labels`);
      }
    }
  });
});
