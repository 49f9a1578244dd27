"""python -m course_utils.toyvoc write FOLDER, or contact FILE.png."""

import argparse
from pathlib import Path

from PIL import Image

from course_utils.toyvoc.scenes import contact_sheet, write

parser = argparse.ArgumentParser(prog="course_utils.toyvoc", description="Drawn scenes in VOC's layout.")
commands = parser.add_subparsers(dest="command", required=True)
for name, what in (("write", "write a data set"), ("contact", "save a sheet of single objects")):
    commands.add_parser(name, help=what).add_argument("path", type=Path, metavar="PATH")
arguments = parser.parse_args()
if arguments.command == "write":
    write(arguments.path)
else:
    Image.fromarray(contact_sheet()).save(arguments.path)
