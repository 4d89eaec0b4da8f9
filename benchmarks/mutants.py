# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Change numbers and conditions of the package and count who notices.

First measure which test runs which line, and how long each test takes::

    COVERAGE_FILE=/tmp/lines python -m pytest tests/image -n 0 --dist no \
        --cov=astro_pix2prof --cov-context=test --cov-report= \
        --junitxml=/tmp/times.xml -o junit_duration_report=call

Then change randomly chosen lines and run the tests that concern them::

    python benchmarks/mutants.py image --lines /tmp/lines \
        --times /tmp/times.xml --tests tests/image --number 30 --seed 1

Numbers are changed by one or by a factor of two; comparisons are turned
round, or lose or gain their equality; ``and`` and ``or``, plus and minus,
times and divided by are exchanged; ``not``, ``~`` and minus signs are left
out. Every change is made in memory, in a process of its own that is forked
when the tests are collected. Not changed are the bodies of classes and the
default values of arguments.
"""

import argparse
import ast
import gc
import os
import random
import re
import signal
import sys
import time
import traceback
import types
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

import coverage
import numpy as np
import pytest

__all__ = ['apply_mutant', 'find_mutants', 'main']

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'astro_pix2prof'

_BOUNDARY = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
             ast.GtE: ast.Gt}
_OPPOSITE = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE,
             ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
             ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn,
             ast.NotIn: ast.In}
_ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div,
               ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
               ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
               ast.Pow: ast.Mult}


def _changed(value):
    """
    List the numbers that are tried in place of one.
    """
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int) and abs(value) <= 3:
        return [value + 1, value - 1]
    if value == 0:
        return [1.0]
    return [value * 2, value // 2 if isinstance(value, int) else value / 2]


def _visit(node, field=None):
    """
    Yield the nodes whose change could change a result.
    """
    if isinstance(node, (ast.Raise, ast.JoinedStr)) or field in (
            'annotation', 'returns', 'decorator_list'):
        return
    if isinstance(node, ast.Assign) and isinstance(
            node.targets[0], ast.Name) and node.targets[0].id in (
            'msg', '__all__'):
        return
    yield node
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _visit(child, name)


def _replace(node, new):
    """
    Turn a node into another one, in place.
    """
    old = (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
    node.__class__ = new.__class__
    for name in list(vars(node)):
        delattr(node, name)
    vars(node).update(vars(new))
    (node.lineno, node.col_offset, node.end_lineno,
     node.end_col_offset) = old


def find_mutants(tree):
    """
    List the changes of numbers and conditions of a module.

    Parameters
    ----------
    tree : `ast.Module`
        The parsed module.

    Returns
    -------
    changes : list of (int, str, callable)
        The line, a description, and the function that makes the change in
        ``tree``.
    """
    found = []

    def add(node, old, new, change):
        found.append((node.lineno, f'{old} -> {new}', change))

    for node in _visit(tree):
        kind = type(node)
        if kind is ast.Constant and isinstance(node.value, (int, float)):
            for new in _changed(node.value):
                add(node, ast.unparse(node), new, lambda node=node, new=new:
                    setattr(node, 'value', new))
        elif kind is ast.Compare:
            for k, op in enumerate(node.ops):
                for table in (_OPPOSITE, _BOUNDARY):
                    # (equality is no matter where numbers are continuous)
                    whole = table is _OPPOSITE or isinstance(getattr(
                        node.comparators[k], 'value', None), int)
                    if type(op) in table and whole:
                        new = table[type(op)]()
                        add(node, ast.unparse(node), type(new).__name__,
                            lambda node=node, k=k, new=new:
                            node.ops.__setitem__(k, new))
        elif kind is ast.BoolOp:
            new = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            add(node, ast.unparse(node), type(new).__name__,
                lambda node=node, new=new: setattr(node, 'op', new))
        elif kind in (ast.BinOp, ast.AugAssign) and type(
                node.op) in _ARITHMETIC and not isinstance(
                getattr(node, 'left', None), (ast.Constant, ast.JoinedStr)
                ) | isinstance(getattr(getattr(node, 'left', None), 'value',
                                       None), str):
            new = _ARITHMETIC[type(node.op)]()
            add(node, ast.unparse(node), type(new).__name__,
                lambda node=node, new=new: setattr(node, 'op', new))
        elif kind is ast.UnaryOp and not isinstance(node.op, ast.UAdd):
            add(node, ast.unparse(node), 'left out', lambda node=node:
                _replace(node, node.operand))
        if kind in (ast.If, ast.IfExp, ast.While) and not isinstance(
                node.test, (ast.Compare, ast.BoolOp, ast.UnaryOp)):
            add(node.test, 'if ' + ast.unparse(node.test), 'not',
                lambda node=node: setattr(node, 'test', ast.copy_location(
                    ast.UnaryOp(ast.Not(), node.test), node.test)))
    return found


def _read_tests(lines, times):
    """
    Read which tests run each line and how long every test takes.
    """
    data = coverage.CoverageData(no_disk=True)
    for path in lines:
        part = coverage.CoverageData(path)
        part.read()
        data.update(part)
    durations = {}
    for case in (case for path in times for case in ElementTree.parse(
            path).iter('testcase')):
        parts = case.get('classname').split('.')
        depth = next(k for k, part in enumerate(parts)
                     if part.startswith('test_')) + 1
        name = '::'.join(['/'.join(parts[:depth]) + '.py', *parts[depth:],
                          case.get('name')])
        durations[name] = float(case.get('time'))
    together = defaultdict(list)
    for name in durations:
        together[name.split('::')[0]].append(name)
    tests = {}
    for path in data.measured_files():
        by_line = tests[path] = {}
        for line, contexts in data.contexts_by_lineno(path).items():
            here = by_line[line] = set()
            for context in contexts:
                name, _, phase = context.partition('|')
                if name in durations:
                    here.add(name)
                # fixtures are made by the first test that asks for them
                if phase == 'setup':
                    here.update(together[name.split('::')[0]])
    return tests, durations


def _users(path, tree, line, tests):
    """
    Find the tests that a line concerns.
    """
    by_line = tests.get(str(path), {})
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and (
                node.lineno <= line < node.body[0].lineno):
            lines = range(node.body[0].lineno, node.end_lineno + 1)
            return set().union(*(by_line.get(k, ()) for k in lines))
    if by_line.get(line):
        return by_line[line]
    # run at import: tests of the functions that use the name
    names = set()
    for node in tree.body:
        if node.lineno <= line <= node.end_lineno:
            names |= {part.id for part in ast.walk(node) if isinstance(
                part, ast.Name) and isinstance(part.ctx, ast.Store)}
            names |= {node.name} if isinstance(node, ast.ClassDef) else set()
    users = set()
    for other in tests:
        if Path(other) != path and all(n.startswith('_') for n in names):
            continue
        for node in ast.walk(ast.parse(Path(other).read_text())):
            name = getattr(node, 'id', getattr(node, 'attr', None))
            if name in names:
                users |= tests[other].get(node.lineno, set())
    return users


def _codes(code):
    """
    Collect the code of functions, and of those within classes.
    """
    found = {}
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            found[const.co_qualname, const.co_firstlineno] = const
            found |= _codes(const)
    return found


def _same(one, two):
    try:
        return bool(np.all(one == two))
    except (TypeError, ValueError):
        return False


def apply_mutant(path, number):
    """
    Change a module that is loaded.

    Parameters
    ----------
    path : `~pathlib.Path`
        The module.

    number : int
        Index of the change in `find_mutants`.
    """
    name = '.'.join(path.relative_to(ROOT).with_suffix('').parts)
    module = sys.modules[name.removesuffix('.__init__')]
    tree = ast.parse(path.read_text())
    line, _, change = find_mutants(tree)[number]
    change()
    code = compile(tree, str(path), 'exec')
    codes = _codes(code)
    for function in gc.get_objects():
        if (type(function) is types.FunctionType
                and function.__globals__ is vars(module)):
            old = function.__code__
            new = codes.get((old.co_qualname, old.co_firstlineno))
            if new is not None and new.co_freevars == old.co_freevars:
                function.__code__ = new
    top = next(node for node in tree.body
               if node.lineno <= line <= node.end_lineno)
    if isinstance(top, (ast.FunctionDef, ast.ClassDef)):
        return
    # a constant: here, and wherever it was imported
    fresh = {key: value for key, value in vars(module).items()
             if key.startswith('__')}
    exec(code, fresh)
    names = {node.id for node in ast.walk(top) if isinstance(node, ast.Name)
             and isinstance(node.ctx, ast.Store)}
    for key, old in list(vars(module).items()):
        new = fresh.get(key)
        if key in names or (isinstance(old, (int, float, tuple, list, dict))
                            and not _same(old, new)):
            for other in list(sys.modules.values()):
                if getattr(other, '__name__', '').startswith(
                        'astro_pix2prof') and vars(other).get(key) is old:
                    setattr(other, key, new)


def _is_body(tree, line):
    """
    Tell whether a line is a constant or in the body of a function.
    """
    inside = [node for node in ast.walk(tree) if isinstance(node, (
        ast.FunctionDef, ast.ClassDef)) and node.lineno <= line <= (
            node.end_lineno)]
    return not inside or (isinstance(inside[-1], ast.FunctionDef)
                          and line >= inside[-1].body[0].lineno)


class _Mutation:
    """
    Run tests with changes instead of running all tests once.
    """

    def __init__(self, options):
        self.options = options
        self.failed = False

    def pytest_runtest_logreport(self, report):
        self.failed |= report.failed
        if report.failed and self.pipe:
            os.write(self.pipe, report.nodeid.encode())

    def pytest_runtestloop(self, session):
        self.items = {item.nodeid: item for item in session.items}
        self.tests, self.durations = _read_tests(self.options.lines,
                                                 self.options.times)
        with open(self.options.output, 'a') as self.output:
            for part in self.options.part:
                self.run_part(part)
        return True

    def run_part(self, part):
        place = PACKAGE / part
        mutants = []
        for path in sorted(place.glob('*.py')) if place.is_dir() else [place]:
            tree = ast.parse(path.read_text())
            mutants += [(path, k, line, text) for k, (line, text, _) in
                        enumerate(find_mutants(tree)) if re.search(
                            self.options.only,
                            f'{path.name}:{line}: {text}')
                        and _is_body(tree, line)]
        random.Random(self.options.seed).shuffle(mutants)
        count, chosen = 0, mutants[:self.options.number]
        for path, number, line, text in chosen:
            names = self.choose(path, line)
            noticed, by = self.run_mutant(path, number, names)
            count += noticed
            self.write('noticed' if noticed else 'missed ',
                       f'{part} {path.name}:{line}:',
                       ' '.join(text.split()), f'[{len(names)}]', by)
        self.write(f'{part}: {count} of {len(chosen)} noticed '
                   f'({len(mutants)} possible, seed {self.options.seed})')

    def write(self, *words):
        print(*words, file=self.output, flush=True)

    def choose(self, path, line):
        """
        Choose near and quick tests that run a line.
        """
        tree = ast.parse(path.read_text())
        users = set(_users(path, tree, line, self.tests))
        # tests that are new since the lines were recorded
        users |= {name for name in self.items if name not in self.durations
                  and f'/{path.parent.name}/' in name}
        cost = {name: self.durations.get(name, 0.1) + (
            0 if f'/{path.parent.name}/' in name else 1)
            for name in users if name in self.items}
        total, chosen = 0.0, []
        for name in sorted(cost, key=cost.get):
            total += self.durations.get(name, 0.1)
            if total > self.options.seconds and chosen:
                break
            chosen.append(name)
        return chosen

    def run_mutant(self, path, number, names):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 3
            try:
                os.setsid()
                self.pipe = write
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, 1)
                os.dup2(null, 2)
                if number is not None:
                    apply_mutant(path, number)
                self.run_tests(names)
                code = int(self.failed)
            except BaseException:
                os.write(write, traceback.format_exc(-3).encode())
            finally:
                os._exit(code)
        os.close(write)
        end = time.monotonic() + 60 + 10 * self.options.seconds
        done = 0
        while not done and time.monotonic() < end:
            done, status = os.waitpid(pid, os.WNOHANG)
            time.sleep(0.01)
        by = 'endless'
        if done:
            by = os.read(read, 1000).decode()
            if os.waitstatus_to_exitcode(status) not in (0, 1):
                raise RuntimeError(by)
        else:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(read)
        return bool(by), by

    def run_tests(self, names):
        for name, after in zip(names, [*names[1:], None], strict=False):
            item = self.items[name]
            item.ihook.pytest_runtest_protocol(
                item=item, nextitem=self.items.get(after))
            if self.failed:
                break


def main(arguments=None):
    """
    Try random changes and write whether a test fails.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('part', nargs='+', help='folders or modules of the '
                        'package, for example image or fitting/flags.py')
    parser.add_argument('--lines', required=True, nargs='+',
                        help='files of coverage')
    parser.add_argument('--times', required=True, nargs='+',
                        help='files of the times of the tests')
    parser.add_argument('--tests', required=True, nargs='+',
                        help='folders of tests')
    parser.add_argument('--output', default='mutants.txt')
    parser.add_argument('--number', type=int, default=30,
                        help='changes in each part')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--seconds', type=float, default=20,
                        help='longest time of the tests of a change')
    parser.add_argument('--only', default='', help='regular expression for '
                        'name:line: change')
    options = parser.parse_args(arguments)
    os.chdir(ROOT)
    pytest.main([*options.tests, '-q', '-s', '-o', 'addopts=', '-p',
                 'no:cacheprovider', '-p', 'no:cov', f'--rootdir={ROOT}'],
                plugins=[_Mutation(options)])


if __name__ == '__main__':
    main()
