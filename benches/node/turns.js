'use strict';
// Measures two candidates in turns, and compares their medians.

const ROUNDS = 7;

/** Keeps `inFlight` calls in flight for a while, each for another order. */
async function sendFor({ send }, inFlight, milliseconds) {
  let sent = 0;
  const usage = process.cpuUsage();
  const started = performance.now();
  const end = started + milliseconds;
  async function lane(number) {
    while (performance.now() < end) {
      await send(`${number}-${sent}`);
      sent += 1;
    }
  }
  await Promise.all(Array.from({ length: inFlight }, (_, number) => lane(number)));
  const { user, system } = process.cpuUsage(usage);
  const seconds = (performance.now() - started) / 1000;
  return { rate: sent / seconds, cpu: (user + system) / sent };
}

/** The results of both candidates, after one warm-up round each. */
async function inTurns(ours, theirs, rounds = ROUNDS) {
  await ours();
  await theirs();
  const results = { ours: [], theirs: [] };
  for (let round = 0; round < rounds; round += 1) {
    results.ours.push(await ours());
    results.theirs.push(await theirs());
  }
  return results;
}

function report({ what, other, unit, goal, less = false }, results) {
  const [ours, theirs] = [median(results.ours), median(results.theirs)];
  const ratio = less ? theirs / ours : ours / theirs;
  const rounded = { ours: round(ours, 3), theirs: round(theirs, 3), ratio: round(ratio, 2) };
  console.log(JSON.stringify({ what, ...rounded, other, unit, goal }));
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const round = (number, digits) => Number(number.toFixed(digits));

module.exports = { ROUNDS, inTurns, report, sendFor };
