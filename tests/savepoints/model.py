"""A small pure model of what executions do: no database, no clock. The state machine compares the engine with it."""

from dataclasses import dataclass, field

from executions.lifecycle import ENDED, WAITING, Status

MAX_CRASHES, MAX_LOSSES = 3, 10
OUTPUT, SLEEP, AWAIT, SPAWN = "output", "sleep", "await", "spawn"  # the calls of plans


@dataclass
class Life:
    """One execution as the model sees it."""

    number: int
    plan: tuple[str, ...]
    status: Status = Status.QUEUED
    host: int | None = None
    attempt: int = 0
    place: int = 0  # answered calls
    pending: bool = False
    progressed: bool = False  # a savepoint in this attempt
    is_due: bool = False  # what it waits for is over
    crashes: int = 0
    losses: int = 0
    pause_wish: bool = False
    cancel_wish: bool = False
    only_to_cancel: bool = False  # taken up only to hear of its cancel
    parent: "Life | None" = None
    belongs: bool = False
    awaited: "Life | None" = None
    children: list["Life"] = field(default_factory=list)

    @property
    def is_alive(self) -> bool:
        return self.status not in ENDED

    @property
    def is_waiting(self) -> bool:
        return self.status in WAITING

    @property
    def facts(self) -> tuple[str, int | None, int, int, bool, bool]:
        return (str(self.status), self.host, self.attempt, self.place, self.pause_wish, self.cancel_wish)


class Model:
    """All executions, and the rules."""

    def __init__(self) -> None:
        self.lives: list[Life] = []

    def submit(self, plan: tuple[str, ...], parent: Life | None = None, belongs: bool = False) -> Life:
        life = Life(len(self.lives), plan, parent=parent, belongs=belongs)
        self.lives.append(life)
        if parent is not None:
            parent.children.append(life)
        return life

    def tree(self, life: Life) -> list[Life]:
        if not life.is_alive:
            return []
        return [life, *(each for child in life.children if child.belongs for each in self.tree(child))]

    # what hosts do

    def claim(self, host: int) -> None:
        for life in self.lives:
            if life.status == Status.QUEUED:
                life.status, life.host, life.attempt = Status.RUNNING, host, life.attempt + 1
                life.progressed, life.only_to_cancel = False, life.cancel_wish

    def step(self, life: Life) -> None:
        if life.only_to_cancel:
            self.end(life, Status.ENDED_CANCELLED)
        elif life.place == len(life.plan):
            self.end(life, Status.ENDED_SUCCESS)
        elif life.pending:
            self._take_up(life)
        else:
            life.progressed = True
            getattr(self, f"_{life.plan[life.place]}")(life)

    def _take_up(self, life: Life) -> None:
        over = not life.awaited.is_alive if life.awaited is not None else life.is_due
        if over:
            self._answer(life)
        else:
            life.status = Status.WAITING_FOR_DEPENDENCY if life.awaited is not None else Status.SLEEPING

    def _answer(self, life: Life) -> None:
        life.place, life.pending, life.progressed = life.place + 1, False, True
        life.awaited, life.is_due = None, False

    def _output(self, life: Life) -> None:
        life.place += 1

    def _sleep(self, life: Life) -> None:
        life.status, life.pending, life.is_due = Status.SLEEPING, True, False

    def _await(self, life: Life) -> None:
        made = self.submit((SLEEP, OUTPUT), parent=life, belongs=True)
        made.status, made.host, made.attempt = Status.RUNNING, life.host, 1
        life.status, life.pending, life.awaited = Status.WAITING_FOR_DEPENDENCY, True, made

    def _spawn(self, life: Life) -> None:
        self.submit((OUTPUT,), parent=life)
        life.place += 1

    def end(self, life: Life, status: Status) -> None:
        held, ran = life.host, life.status == Status.RUNNING
        life.status, life.host = status, None
        waiter = life.parent
        if waiter is not None and waiter.awaited is life and waiter.status == Status.WAITING_FOR_DEPENDENCY:
            waiter.is_due = True
            if waiter.host is None:
                waiter.status = Status.QUEUED
            elif waiter.host == held and ran:  # the slot passes on within the host
                waiter.status = Status.RUNNING
                self._answer(waiter)
        for child in life.children:
            if child.belongs and child.is_alive:
                self._stop(child)

    def go_on(self, host: int) -> None:
        for life in self.lives:
            if life.host == host and life.is_waiting and life.is_due:
                life.status = Status.RUNNING
                self._answer(life)

    def unload(self, life: Life) -> bool:
        if life.is_due or life.pause_wish or life.cancel_wish:
            return False
        life.host = None
        return True

    def hear(self, life: Life, pause: bool, cancel: bool) -> None:
        """The host of this one finds wishes on its row."""
        if cancel:
            self.end(life, Status.ENDED_CANCELLED)
        elif pause and not life.cancel_wish:
            life.status, life.host, life.pause_wish = Status.PAUSED, None, False

    # how hosts leave

    def crash(self, life: Life) -> None:
        if life.status == Status.RUNNING:
            self._try_again(life, "crashes", MAX_CRASHES)
        else:
            self._let_go(life)

    def put_down(self, host: int) -> None:
        for life in self.held(host):
            if life.status == Status.RUNNING:
                life.status, life.host = Status.QUEUED, None
            else:
                self._let_go(life)

    def lose(self, host: int) -> None:
        held = self.held(host)
        for life in held:
            if life.cancel_wish:
                life.status, life.host = Status.ENDED_CANCELLED, None
        ended = [life for life in held if not life.is_alive]
        for life in held:
            if life.status == Status.RUNNING:
                life.host = host
                self._try_again(life, "losses", MAX_LOSSES)
            elif life.is_alive:
                self._let_go(life)
        for life in ended:
            self.end(life, Status.ENDED_CANCELLED)

    def held(self, host: int) -> list[Life]:
        return [life for life in self.lives if life.host == host]

    def _try_again(self, life: Life, count: str, most: int) -> None:
        failed = 1 if life.progressed else getattr(life, count) + 1
        setattr(life, count, failed)
        if failed >= most:
            self.end(life, Status.ENDED_ERROR)
        else:
            life.status, life.host = Status.QUEUED, None

    def _let_go(self, life: Life) -> None:
        life.host = None
        if life.cancel_wish:
            life.status = Status.QUEUED
        elif life.pause_wish:
            life.status, life.pause_wish = Status.PAUSED, False

    # what people do

    def pause(self, life: Life) -> None:
        for each in self.tree(life):
            if each.cancel_wish:
                continue
            if each.host is not None:
                each.pause_wish = True
            elif each.status != Status.PAUSED:
                each.status = Status.PAUSED

    def resume(self, life: Life) -> None:
        for each in self.tree(life):
            each.pause_wish = False
            if each.status == Status.PAUSED:
                each.status = Status.QUEUED

    def cancel(self, life: Life) -> None:
        for each in self.tree(life):
            if each.is_alive:
                self._stop(each)

    def _stop(self, life: Life) -> None:
        if life.host is not None:
            life.cancel_wish = True
        elif life.attempt == 0:
            life.cancel_wish = True
            self.end(life, Status.ENDED_CANCELLED)
        else:
            if life.status != Status.QUEUED:
                life.status, life.pause_wish = Status.QUEUED, False
            life.cancel_wish = True

    # time

    def time_passes(self, life: Life) -> None:
        life.is_due = True

    def queue_due(self) -> None:
        for life in self.lives:
            if life.is_waiting and life.host is None and life.is_due:
                life.status = Status.QUEUED

    def expire(self, life: Life) -> None:
        self.end(life, Status.ENDED_ERROR)
