// Rules whose every span of time is a sixtieth of what is shipped, so that a minute of theirs passes in a second.
//
// Only times change: names that speak of one (`rate5m`), texts and figures stay what they are.
const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000, y: 31_536_000_000 };
const SPAN = '(?:\\d+(?:ms|[smhdwy]))+';
// What is quoted is a text, and what stands behind a # a comment, whatever they look like.
const TIMES = new RegExp(`"[^"]*"|'[^']*'|#[^\\n]*|\\[\\s*(${SPAN})\\s*(?::\\s*(${SPAN})?\\s*)?\\]|\\boffset\\s+(-?)(${SPAN})`, 'g');

export function span(text) {
  const millis = [...text.matchAll(/(\d+)(ms|[smhdwy])/g)].reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit], 0) / 60;
  const unit = ['h', 'm', 's'].find((each) => millis >= UNITS[each] && millis % UNITS[each] === 0);
  // Prometheus knows no part of a millisecond, and a span of none is none.
  return unit ? `${millis / UNITS[unit]}${unit}` : `${Math.ceil(millis)}ms`;
}

export const expression = (text) => text.replace(TIMES, (all, window, step, sign, offset) => {
  if (window) return `[${span(window)}${all.includes(':') ? `:${step ? span(step) : ''}` : ''}]`;
  return offset ? `offset ${sign}${span(offset)}` : all;
});

const field = (of, name) => (of[name] === undefined ? {} : { [name]: span(of[name]) });

// A file of rules, as its YAML reads.
export const sixtieth = ({ groups }) => ({
  groups: groups.map((group) => ({
    ...group,
    ...field(group, 'interval'),
    rules: group.rules.map((rule) => ({ ...rule, expr: expression(rule.expr), ...field(rule, 'for'), ...field(rule, 'keep_firing_for') })),
  })),
});
