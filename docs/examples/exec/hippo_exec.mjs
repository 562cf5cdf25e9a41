// A HiPPO implementation that hippo-verify can check as it is: JSON lines on stdin and stdout. Node, no packages.
//
//     hippo-verify check "exec:node hippo_exec.mjs"
//
// Offers legs and legt, matrices, steps, scans, read-outs and gradients, under euler, bilinear and backward_euler.
// --target-arg bug=late-clock (or doubled-b, theta-ignored, unweighted) plants a mistake, to see it named.

import { createInterface } from "node:readline";

const WEIGHT = { euler: 0, bilinear: 0.5, backward_euler: 1 };
let bug = "";

/** A hex float such as -0x1.8p+1: at most 53 bits times a power of two, so the product is exact. */
function hex(text) {
  const [, sign, whole, fraction = "", exponent] = /^(-?)0x([01])(?:\.([0-9a-f]+))?p([+-]\d+)$/.exec(text);
  const shift = Number(exponent) - 4 * fraction.length;
  const size = parseInt(whole + fraction, 16);
  // 2 ** -1074 is the least there is, so the smallest numbers are reached in two exact halves.
  return (sign ? -1 : 1) * (shift < -1022 ? size * 2 ** -52 * 2 ** (shift + 52) : size * 2 ** shift);
}

/** An array as the protocol has it. JSON has no NaN and no infinity: those go as text. */
function array(shape, values) {
  return { shape, values: values.map((x) => (Number.isFinite(x) ? x : String(x))) };
}

/** A (rows) and B: dc/dt = A c + B f; for legs divided by t. */
function operators({ measure, order, parameters }) {
  const theta = measure === "legs" || bug === "theta-ignored" ? 1 : hex(parameters.theta);
  const s = (n) => Math.sqrt(2 * n + 1);
  const entry = {
    legs: (n, k) => (n > k ? -s(n) * s(k) : n === k ? -(n + 1) : 0),
    legt: (n, k) => (-s(n) * s(k) * (k <= n || (n - k) % 2 === 0 ? 1 : -1)) / theta,
  }[measure];
  const indices = Array.from({ length: order }, (_, n) => n);
  return {
    A: indices.map((n) => indices.map((k) => entry(n, k))),
    B: indices.map((n) => ((bug === "doubled-b" ? 2 : 1) * s(n)) / theta),
  };
}

/** Solves M x = y by elimination with row exchanges. */
function solve(M, y) {
  const rows = M.map((row, i) => [...row, y[i]]);
  const N = rows.length;
  for (let p = 0; p < N; p++) {
    let best = p;
    for (let i = p + 1; i < N; i++) if (Math.abs(rows[i][p]) > Math.abs(rows[best][p])) best = i;
    [rows[p], rows[best]] = [rows[best], rows[p]];
    for (let i = p + 1; i < N; i++) {
      const factor = rows[i][p] / rows[p][p];
      if (factor !== 0) for (let j = p; j <= N; j++) rows[i][j] -= factor * rows[p][j];
    }
  }
  const x = new Array(N);
  for (let i = N - 1; i >= 0; i--) {
    let rest = rows[i][N];
    for (let j = i + 1; j < N; j++) rest -= rows[i][j] * x[j];
    x[i] = rest / rows[i][i];
  }
  return x;
}

/** The generalized bilinear step (I - a h A) c' = (I + (1-a) h A) c + h B u. */
function step({ A, B }, state, a, h, u) {
  const flow = A.map((row) => row.reduce((sum, entry, j) => sum + entry * state[j], 0));
  const right = state.map((c, i) => c + (1 - a) * h * flow[i] + h * B[i] * u);
  return a ? solve(A.map((row, i) => row.map((entry, j) => (i === j ? 1 : 0) - a * h * entry)), right) : right;
}

/** The state after sample number k, u, from the one before. Sample k of legs is at time k. */
function advance(asked, system, state, u, k) {
  if (asked.measure === "legs" && k === 0) return state.map((_, n) => (n === 0 ? u : 0));
  const h = asked.measure === "legs" ? 1 / (k + (bug === "late-clock" ? 1 : 0)) : hex(asked.dt);
  return step(system, state, WEIGHT[asked.method], h, u);
}

function scan(asked, system, samples) {
  let state = new Array(asked.order).fill(0);
  return samples.map((u, k) => (state = advance(asked, system, state, u, k)));
}

/** sum_n c_n sqrt(2n+1) P_n(2y - 1), y from 0, the oldest end of the window, to 1, now. */
function readOut(state, y) {
  let [older, newer, sum] = [0, 1, 0];
  state.forEach((c, n) => {
    sum += c * (bug === "unweighted" ? 1 : Math.sqrt(2 * n + 1)) * newer;
    [older, newer] = [newer, ((2 * n + 1) * (2 * y - 1) * newer - n * older) / (n + 1)];
  });
  return sum;
}

/** Column k is the last state of the signal that is 1 at k and else 0: the scan is linear. */
function gradient(asked, system, length) {
  const columns = Array.from({ length }, (_, k) => {
    const impulse = Array.from({ length }, (_, i) => (i === k ? 1 : 0));
    return scan(asked, system, impulse).at(-1);
  });
  return Array.from({ length: asked.order }, (_, n) => columns.map((column) => column[n])).flat();
}

const LEVELS = {
  matrices({ order }, { A, B }) {
    return { A: array([order, order], A.flat()), B: array([order], B) };
  },
  step(asked, system) {
    return array([asked.order], advance(asked, system, asked.state.map(hex), hex(asked.sample), asked.k));
  },
  scan(asked, system) {
    return array([asked.samples.length, asked.order], scan(asked, system, asked.samples.map(hex)).flat());
  },
  batch_scan(asked, system) {
    const states = asked.samples.flatMap((stream) => scan(asked, system, stream.map(hex)).flat());
    return array([asked.samples.length, asked.samples[0].length, asked.order], states);
  },
  reconstruct(asked) {
    const state = asked.state.map(hex);
    return array([asked.points.length], asked.points.map((point) => readOut(state, hex(point))));
  },
  gradient(asked, system) {
    return array([asked.order, asked.samples.length], gradient(asked, system, asked.samples.length));
  },
};

const write = (record) => process.stdout.write(JSON.stringify(record) + "\n");

let met = false;
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if (!met) {
    met = true;
    bug = asked.arguments.bug ?? "";
    write({
      protocol: "hippo-exec/1",
      name: "hippo_exec.mjs",
      version: "1.0",
      capabilities: {
        levels: Object.keys(LEVELS),
        measures: { legs: {}, legt: {} },
        methods: Object.keys(WEIGHT),
        orders: [1, 256],
      },
    });
    continue;
  }
  try {
    write({ id: asked.id, answer: LEVELS[asked.level](asked, operators(asked)) });
  } catch (error) {
    write({ id: asked.id, error: String(error) });
  }
}
