/** Small files that other programs wrote (or whose bytes were laid out by hand), and what they hold. */

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));

/** What NumPy was given: C and Fortran order, float64, float32 and int64. */
export const savedArrays = {
  a: { shape: [2, 3], fortranOrder: false, data: Float64Array.of(0.1, -2, 3e300, 5e-324, Infinity, -0) },
  'net/b': { shape: [2, 3], fortranOrder: true, data: Float32Array.of(0, 3 / 8, 1 / 8, 4 / 8, 2 / 8, 5 / 8) },
  'c.d': { shape: [2], fortranOrder: false, data: Float64Array.of(-3, 2 ** 40) },
};

/** A perceptron 3-2-4 with tanh between: W (out, in) and b, and NumPy's W2 tanh(W1 x + b1) + b2. */
export const perceptron = {
  widths: [3, 2, 4],
  w1: [
    [1.25, 0.5, 0],
    [-1, -1, -2],
  ],
  b1: [-1.75, -2],
  w2: [
    [-1.5, 1.25],
    [0.5, 1.5],
    [0, 0.25],
    [1.75, 0.75],
  ],
  b2: [0.5, 0, 0, 1.5],
  x: [1, -2, 0.5],
  y: [0.6526879053725287, -1.8986154969361586, -0.24100689501895423, -0.807030128935379],
};

/** numpy.savez of `savedArrays`, NumPy 2.4. */
export const numpyStored = bytes(
  'UEsDBC0AAAAAAAAAIQB1XItv//////////8FABQAYS5ucHkBABAAsAAAAAAAAACwAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxmOCcsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZS' +
    'c6ICgyLCAzKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKmpmZmZmZuT8AAAAAAAAAwDVYAGYt61F+AQAAAAAAAAAAAAAAAADwfwAA' +
    'AAAAAACAUEsDBC0AAAAAAAAAIQBYcYps//////////8JABQAbmV0L2IubnB5AQAQAJgAAAAAAAAAmAAAAAAAAACTTlVNUFkBAHYAeydkZXNjcic6ICc8ZjQnLCAnZm9ydHJhbl9vcmRlcic6IFRydW' +
    'UsICdzaGFwZSc6ICgyLCAzKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgCgAAAAAAAMA+AAAAPgAAAD8AAIA+AAAgP1BLAwQtAAAA' +
    'AAAAACEAjqhdFP//////////BwAUAGMuZC5ucHkBABAAkAAAAAAAAACQAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxpOCcsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLC' +
    'ksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAK/f////////8AAAAAAAEAAFBLAQItAy0AAAAAAAAAIQB1XItvsAAAALAAAAAFAAAA' +
    'AAAAAAAAAACAAQAAAABhLm5weVBLAQItAy0AAAAAAAAAIQBYcYpsmAAAAJgAAAAJAAAAAAAAAAAAAACAAecAAABuZXQvYi5ucHlQSwECLQMtAAAAAAAAACEAjqhdFJAAAACQAAAABwAAAAAAAAAAAA' +
    'AAgAG6AQAAYy5kLm5weVBLBQYAAAAAAwADAJ8AAACDAgAAAAA=',
);

/** numpy.savez_compressed of `savedArrays`, NumPy 2.4. */
export const numpyDeflated = bytes(
  'UEsDBC0AAAAIAAAAIQB1XItv//////////8FABQAYS5ucHkBABAAsAAAAAAAAABgAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqGuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5Gk' +
    'Y6CsaaOgq1CmQDrlkzQWCnPQMEHDCNYEjTfR1Yx8iADD7UQxkNAFBLAwQtAAAACAAAACEAWHGKbP//////////CQAUAG5ldC9iLm5weQEAEACYAAAAAAAAAFUAAAAAAAAAm+wX6hsQychQxlCtnpJa' +
    'nFykbqWgbpNmoq6joJ6WX1RSlJgXn1+UkgoSDykqTQUKF2ckFqQCuRpGOgrGmjoKtQrkAy4GMDhgByRA2J6BoQFIK9gDAFBLAwQtAAAACAAAACEAjqhdFP//////////BwAUAGMuZC5ucHkBABAAkA' +
    'AAAAAAAABNAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TaaGuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6mjoKtQoUAK6//yGAAQQYGRgAUEsBAi0DLQAAAAgAAAAhAHVci29g' +
    'AAAAsAAAAAUAAAAAAAAAAAAAAIABAAAAAGEubnB5UEsBAi0DLQAAAAgAAAAhAFhximxVAAAAmAAAAAkAAAAAAAAAAAAAAIABlwAAAG5ldC9iLm5weVBLAQItAy0AAAAIAAAAIQCOqF0UTQAAAJAAAA' +
    'AHAAAAAAAAAAAAAACAAScBAABjLmQubnB5UEsFBgAAAAADAAMAnwAAAK0BAAAAAA==',
);

/** numpy.savez_compressed of the perceptron under Flax's names; one kernel is in Fortran order. */
export const flaxNpz = bytes(
  'UEsDBC0AAAAIAAAAIQAxstP5//////////8ZABQAcGFyYW1zL0RlbnNlXzAva2VybmVsLm5weQEAEACYAAAAAAAAAFYAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNmoq6joJ6WX1RSlJgXn1' +
    '+UkgoSd0vMKU4FihdnJBakAvkaxjoKRpo6CrUKZAMuBoYF9gwMDfsZGBhgNAgcAABQSwMELQAAAAgAAAAhAHL2AbP//////////xcAFABwYXJhbXMvRGVuc2VfMC9iaWFzLm5weQEAEACIAAAAAAAA' +
    'AE0AAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNmoq6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaRjqaOgq1ChQALgaGB/sZGBgOAABQSwMELQAAAAgAAAAhAIQSgcf//////////x' +
    'kAFABwYXJhbXMvRGVuc2VfMS9rZXJuZWwubnB5AQAQAKAAAAAAAAAAXwAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBuk2airqOgnpZfVFKUmBefX5SSChIPKSpNBQoXZyQWpAK5GkY6CiaaOgq1' +
    'CuQDLgaGA/sZGBbYMzAwAPEBEA0EDXYMDA+AbAd7AFBLAwQtAAAACAAAACEA5aFdb///////////FwAUAHBhcmFtcy9EZW5zZV8xL2JpYXMubnB5AQAQAJAAAAAAAAAATQAAAAAAAACb7BfqGxDJyF' +
    'DGUK2eklqcXKRupaBuk2airqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RomOpo6CrUKFAAuBgYGewY4OGAPAFBLAQItAy0AAAAIAAAAIQAxstP5VgAAAJgAAAAZAAAAAAAAAAAAAACAAQAA' +
    'AABwYXJhbXMvRGVuc2VfMC9rZXJuZWwubnB5UEsBAi0DLQAAAAgAAAAhAHL2AbNNAAAAiAAAABcAAAAAAAAAAAAAAIABoQAAAHBhcmFtcy9EZW5zZV8wL2JpYXMubnB5UEsBAi0DLQAAAAgAAAAhAI' +
    'QSgcdfAAAAoAAAABkAAAAAAAAAAAAAAIABNwEAAHBhcmFtcy9EZW5zZV8xL2tlcm5lbC5ucHlQSwECLQMtAAAACAAAACEA5aFdb00AAACQAAAAFwAAAAAAAAAAAAAAgAHhAQAAcGFyYW1zL0RlbnNl' +
    'XzEvYmlhcy5ucHlQSwUGAAAAAAQABAAYAQAAdwIAAAAA',
);

/**
 * The perceptron as nn.Sequential(Linear, Tanh, Linear) inside of a module that calls it net, laid out as
 * safetensors.torch.save_file does.
 */
export const torchSafetensors = bytes(
  'KAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJuZXQuMC5iaWFzIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsyXSwiZGF0YV9vZmZzZXRzIjpbMCw4XX0sIm5ldC4wLndlaW' +
    'dodCI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMiwzXSwiZGF0YV9vZmZzZXRzIjpbOCwzMl19LCJuZXQuMi5iaWFzIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOls0XSwiZGF0YV9vZmZzZXRzIjpb' +
    'MzIsNDhdfSwibmV0LjIud2VpZ2h0Ijp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOls0LDJdLCJkYXRhX29mZnNldHMiOls0OCw4MF19fSAgIAAA4L8AAADAAACgPwAAAD8AAAAAAACAvwAAgL8AAADAAA' +
    'AAPwAAAAAAAAAAAADAPwAAwL8AAKA/AAAAPwAAwD8AAAAAAACAPgAA4D8AAEA/',
);

/** F16 'h' [1.5, -65504, 2^-24, inf, -0] and BF16 'b' [[1.5, -2], [2^100, inf]]. */
export const halfSafetensors = bytes(
  'eAAAAAAAAAB7ImgiOnsiZHR5cGUiOiJGMTYiLCJzaGFwZSI6WzVdLCJkYXRhX29mZnNldHMiOlswLDEwXX0sImIiOnsiZHR5cGUiOiJCRjE2Iiwic2hhcGUiOlsyLDJdLCJkYXRhX29mZnNldHMiOl' +
    'sxMCwxOF19fSAgICAgICAAPv/7AQAAfACAwD8AwIBxgH8=',
);
