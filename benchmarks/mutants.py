# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Change numbers and conditions of the package and count who notices.

First measure which test runs which line, and how long each test takes::

    COVERAGE_FILE=/tmp/lines python -m pytest tests/image -n 0 \
        --cov=astro_pix2prof --cov-context=test --cov-report= \
        --junitxml=/tmp/times.xml -o junit_duration_report=call

Then run the tests of randomly chosen lines, with each line changed::

    python benchmarks/mutants.py image --lines /tmp/lines \
        --times /tmp/times.xml --number 30 --seed 1

Numbers are changed by one or by a factor of two; comparisons are turned
round or lose their equality; ``and`` and ``or``, plus and minus, times and
divided by are exchanged; ``not``, ``~`` and minus signs are left out. Every
change is made in a process of its own, in memory only.
"""

import argparse
import ast
import importlib
import importlib.machinery
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

import coverage
import pytest

__all__ = ['find_mutants', 'main', 'run_mutant']

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'astro_pix2prof'

# Imported once, before the processes are made.
HEAVY = ('matplotlib.pyplot', 'astropy.units', 'astropy.io.fits',
         'astropy.wcs', 'astropy.nddata', 'astropy.modeling.models',
         'astropy.modeling.fitting', 'astropy.table', 'astropy.time',
         'astropy.stats', 'astropy.cosmology', 'astropy.coordinates',
         'photutils.isophote', 'photutils.segmentation',
         'photutils.background', 'photutils.aperture', 'scipy.ndimage',
         'scipy.optimize', 'scipy.special', 'scipy.stats', 'hypothesis',
         'torch', 'safetensors.torch', 'pyarrow', 'pandas')

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
                    if type(op) in table:
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


def run_mutant(path, number, names, *, limit, log):
    """
    Run tests with one change of a module, in a process of its own.

    Parameters
    ----------
    path : `~pathlib.Path`
        The module.

    number : int or None
        Index of the change in `find_mutants`; `None` changes nothing.

    names : list of str
        The tests.

    limit : float
        Seconds after which an endless loop is assumed.

    log : str
        File for the output of pytest.

    Returns
    -------
    code : int
        Exit code of pytest: 0 if no test fails, -9 beyond ``limit``.
    """
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.setsid()
        code = 3
        try:
            tree = ast.parse(path.read_text())
            if number is not None:
                find_mutants(tree)[number][2]()
            mutant = compile(tree, str(path), 'exec')
            get_code = importlib.machinery.SourceFileLoader.get_code

            def changed(loader, fullname):
                if loader.path == str(path):
                    return mutant
                return get_code(loader, fullname)

            importlib.machinery.SourceFileLoader.get_code = changed
            code = pytest.main([
                *names, '-x', '-q', '-o', 'addopts=', '-p',
                'no:cacheprovider', '-p', 'no:xdist', '-p', 'no:cov',
                '--tb=line', f'--rootdir={ROOT}'])
        finally:
            sys.stdout.flush()
            os._exit(int(code))
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -9


def main(arguments=None):
    """
    Try random changes and print whether a test fails.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('part', nargs='+', help='folders or modules of the '
                        'package, for example image or fitting/flags.py')
    parser.add_argument('--lines', required=True, nargs='+',
                        help='files of coverage')
    parser.add_argument('--times', required=True, nargs='+',
                        help='files of the times of the tests')
    parser.add_argument('--number', type=int, default=30,
                        help='changes in each part')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--seconds', type=float, default=40,
                        help='longest time of the tests of a change')
    parser.add_argument('--only', default='', help='regular expression for '
                        'path:line: description')
    options = parser.parse_args(arguments)
    tests, durations = _read_tests(options.lines, options.times)
    os.chdir(ROOT)
    for name in HEAVY:
        importlib.import_module(name)
    for part in options.part:
        _run_part(part, tests, durations, options)


def _run_part(part, tests, durations, options):
    place = PACKAGE / part
    mutants = []
    for path in sorted(place.glob('*.py')) if place.is_dir() else [place]:
        tree = ast.parse(path.read_text())
        mutants += [(path, k, line, text) for k, (line, text, _) in enumerate(
            find_mutants(tree)) if re.search(
                options.only, f'{path.name}:{line}: {text}')]
    random.Random(options.seed).shuffle(mutants)
    count, number = 0, min(options.number, len(mutants))
    for path, k, line, text in mutants[:number]:
        users = _users(path, ast.parse(path.read_text()), line, tests)
        # near and quick tests first
        names = sorted(users, key=lambda name: durations[name] + (
            0 if f'/{path.parent.name}/' in name else 1))
        chosen, total = [], 0.0
        for name in names:
            total += durations[name]
            if total > options.seconds and chosen:
                break
            chosen.append(name)
        with tempfile.NamedTemporaryFile('r', suffix='.log') as log:
            code = run_mutant(path, k, chosen, log=log.name, limit=(
                60 + 4 * options.seconds)) if chosen else 0
            by = [row.split(' - ')[0] for row in log if row.startswith((
                'FAILED', 'ERROR'))]
        count += code != 0
        print('missed ' if code == 0 else 'noticed',
              f'{part} {path.name}:{line}: {" ".join(text.split())}',
              f'[{len(chosen)} of {len(names)} tests; {code}]',
              *(b.strip() for b in by), flush=True)
    print(f'{part}: {count} of {number} noticed ({len(mutants)} possible, '
          f'seed {options.seed})', flush=True)


if __name__ == '__main__':
    main()
