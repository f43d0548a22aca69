"""What happens to a group of instances and to what it lives on, and when: all of it follows from a seed."""
import dataclasses
import random


@dataclasses.dataclass(order=True)
class Misfortune:
    at: float
    """Seconds from the start."""
    what: str
    who: str = ""
    seconds: float = 0
    """How long it lasts; nothing for what is over at once."""

    def __str__(self):
        return f"{self.at:6.1f} s  {self.what} {self.who}" + (f" for {self.seconds:.1f} s" if self.seconds else "")


SESSION_SECONDS = 10
INSTANCES_MIN, INSTANCES_MAX = 2, 5


def plan(seed, seconds, first, disks):
    """Two strands at the same time: one hits instances, the other what they all use, in turn.

    `first` are the names of those that run from the beginning; `disks` says whether disks can fill up."""
    dice = random.Random(seed)
    return sorted(to_instances(dice, seconds, list(first)) + to_surroundings(dice, seconds, disks))


def to_instances(dice, seconds, running):
    found, gone, made = [], [], len(running)
    free = dict.fromkeys(running, 0.0)
    now = dice.uniform(4, 8)
    while now < seconds - 20:
        calm = [name for name in running if free[name] <= now]
        choices = ["killed", "killed", "frozen"] if calm else []
        if len(running) < INSTANCES_MAX:
            choices.append("added")
        if len(running) > INSTANCES_MIN and calm:
            choices.append("removed")
        what = dice.choice(choices)
        if what == "added":
            # One that was there before has local state that the others have left behind.
            if gone and free[gone[0]] <= now and dice.random() < 0.6:
                name = gone.pop(0)
            else:
                made += 1
                name = f"instance-{made}"
            running.append(name)
            found.append(Misfortune(now, what, name))
            free[name] = now + 3
        elif what == "removed":
            name = dice.choice(calm)
            running.remove(name)
            gone.append(name)
            found.append(Misfortune(now, what, name))
            # A stop may take 40 s when there is nobody to commit to.
            free[name] = now + 45
        else:
            name = dice.choice(calm)
            # Back within the session time-out the group has not noticed; later others have its partitions.
            long = what == "frozen" or dice.random() < 0.4
            lasts = dice.uniform(SESSION_SECONDS + 1, SESSION_SECONDS + 8) if long else dice.uniform(0.1, 3)
            found.append(Misfortune(now, what, name, lasts))
            free[name] = now + lasts + 2
        now += dice.uniform(3, 12)
    return found


def to_surroundings(dice, seconds, disks):
    kinds = ["log killed", "store refusing"] + (["state disk full", "log disk full"] if disks else [])
    lasts = {"log killed": (0.2, 6), "store refusing": (20, 20), "state disk full": (8, 15), "log disk full": (4, 10)}
    found = []
    now = dice.uniform(8, 12)
    while True:
        dice.shuffle(kinds)
        for what in kinds:
            duration = dice.uniform(*lasts[what])
            if now + duration > seconds - 10:
                return found
            found.append(Misfortune(now, what, "", duration))
            now += duration + dice.uniform(4, 12)
