"""The closed vocabulary of the generated persons: every word once, its number its place.

A word names one thing: an item belongs to one topic, a value to one attribute. So a few hundred tokens say all that a
history or a question says, and the same words joined are plain English for any other tokenizer (`plain`).
"""

import re

LETTERS = ('(a)', '(b)', '(c)', '(d)')
NONE, DATE, USER, ASSISTANT, QUESTION, ANSWER = MARKS = (
    '<none>', '<date>', '<user>', '<assistant>', '<question>', '<answer>')

ITEMS = {topic: items.split() for topic, items in dict(
    music='jazz rock folk blues soul opera disco reggae techno swing polka gospel',
    sport='golf tennis rugby hockey judo rowing archery fencing surfing climbing skating cricket',
    dish='pizza curry sushi pasta stew salad soup risotto tacos ramen paella omelette',
    drink='tea coffee cocoa cider lemonade juice milk soda kefir punch tonic espresso',
    book='novel comic memoir thriller fable essay saga diary ballad satire romance mystery',
    film='western musical cartoon drama comedy horror noir documentary heist biopic spoof epic',
    hobby='knitting painting pottery chess gardening baking sewing drawing fishing origami carving juggling',
    trip='beach forest desert island lake canyon village castle harbour valley glacier volcano',
    ride='bicycle tram ferry scooter train canoe wagon balloon bus sled yacht taxi',
    coat='jacket scarf sweater robe cloak vest poncho blazer shawl parka apron tunic',
    game='poker dominoes darts bingo checkers marbles bowling backgammon rummy ludo croquet billiards',
    dance='tango waltz salsa ballet samba rumba foxtrot flamenco jive mambo tap polonaise',
    dessert='cake pie pudding sorbet waffle brownie trifle mousse fudge tart cookie meringue',
    flower='rose tulip lily daisy orchid iris poppy violet lotus peony jasmine lavender',
    instrument='piano violin guitar flute drum harp cello trumpet banjo oboe organ accordion',
    course='physics history law chemistry botany logic geometry latin poetry economics geology astronomy',
    workout='yoga pilates boxing running swimming stretching skipping hiking aerobics spinning lifting walking',
    snack='nuts chips popcorn pretzel olives crackers raisins toffee jerky yogurt granola cheese',
    furniture='sofa desk lamp shelf stool bench cabinet mirror carpet rocker hammock wardrobe',
    art='fresco mosaic etching portrait sculpture collage mural sketch tapestry engraving photograph watercolour',
    fabric='silk wool linen cotton denim velvet satin suede tweed fleece leather nylon',
    gem='ruby pearl opal jade amber topaz onyx garnet sapphire emerald diamond coral',
    tree='oak pine maple birch willow cedar elm ash palm fig walnut chestnut',
    fruit='apple mango plum cherry grape lemon peach kiwi melon banana papaya apricot').items()}
VALUES = {attribute: values.split() for attribute, values in dict(
    job='baker nurse pilot clerk tailor plumber lawyer farmer dentist barber sailor chemist',
    town='lima oslo cairo paris rome delhi tokyo dublin madrid vienna boston sydney',
    pet='cat dog parrot rabbit hamster turtle pony goldfish lizard canary ferret hedgehog',
    colour='red blue green black white yellow purple orange pink brown grey gold',
    language='french spanish german italian greek arabic hindi russian polish korean danish turkish',
    club='eagles lions tigers bears wolves hawks sharks bulls foxes ravens panthers cobras',
    car='sedan van truck jeep coupe limousine minivan hatchback convertible pickup motorbike tractor',
    breakfast='toast porridge eggs bacon pancakes cereal muesli bagel croissant muffin oatmeal kippers').items()}

KINDS = 'calm wild cheap fancy classic modern sweet strong light bright simple rare'.split()
REASONS = '''relaxing exciting healthy social quiet easy challenging creative local famous practical elegant funny warm
  fresh fast slow portable durable tidy peaceful lively gentle clever'''.split()
RELATIONS = 'sister brother mother father cousin aunt uncle neighbour boss friend teacher grandmother'.split()
PLACES = 'norway peru kenya japan chile egypt iceland brazil india spain canada fiji'.split()
MONTHS = 'january february march april may june july august september october november december'.split()
DAYS = [str(day) for day in range(1, 29)]
YEARS = [str(year) for year in range(2010, 2030)]
THINGS = '''milkshake soap candles batteries stamps paper glue string nails rice flour honey pepper salt towels
  envelopes bulbs thread ink buttons tape matches sponges vinegar'''.split()
WEATHER = 'sunny rainy windy cloudy foggy snowy stormy mild'.split()

TELLING = '''
  . , ? i my me you the a of for is and to in it as then now no not longer because like likes liked from chose tried
  did enjoy best has have will travel plan go noted thanks see good know that sounds nice how what why where which
  recommend pick suggest find given considering explain describe name tell change changed over time taste new met yet
  suits would suit before latest about plus remind buy sure done today weather spell do can heard some
'''.split()


def _all_words() -> tuple[str, ...]:
  pools = (MARKS, LETTERS, TELLING, KINDS, REASONS, RELATIONS, PLACES, MONTHS, DAYS, YEARS, THINGS, WEATHER,
           *((name, *values) for name, values in (ITEMS | VALUES).items()))
  return tuple(word for pool in pools for word in pool)


WORDS = _all_words()
NUMBER = {word: number for number, word in enumerate(WORDS)}
# What plain English writes with a capital letter.
NAMES = {'i', *PLACES, *MONTHS, *VALUES['town'], *VALUES['language']}


def tokens(text: str) -> list[int]:
  """The numbers of words parted by spaces."""
  return [NUMBER[word] for word in text.split()]


def spoken(numbers) -> str:
  """The words of numbers, parted by spaces."""
  return ' '.join(WORDS[number] for number in numbers)


def plain(numbers) -> str:
  """The same as a sentence that stands anywhere: capital letters where one begins, no space before a stop."""
  text = re.sub(r' (?=[.,?])', '', spoken(numbers))
  text = re.sub(r'\w+', lambda found: found[0].capitalize() if found[0] in NAMES else found[0], text)
  return re.sub(r'(^|[.?] )([a-z])', lambda found: found[1] + found[2].upper(), text)
