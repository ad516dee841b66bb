"""Operations for operators and tests: echo, sleep, fail, effect, fan_out, wait, undo."""
