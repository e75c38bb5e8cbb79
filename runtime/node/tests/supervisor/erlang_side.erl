%% Runs supervision scenarios on Erlang's own supervisor and prints what happened, line by line.
%% against_otp.rs beside this file writes the scenarios as Erlang terms and reads the lines.
%%
%% Each scenario is a world of its own: one process, the scribe, sees every birth and death in it
%% and keeps the lines. Nothing is registered, so that many worlds run at the same time.
-module(erlang_side).
-behaviour(supervisor).
-export([main/1, init/1, begin_supervisor/3, begin_worker/3, begin_instance/4]).

-define(AT_ONCE, 16).            % worlds that run at the same time
-define(HALT_AFTER_MS, 900000).  % a run that hangs ends all the same
-define(CALM_ROUNDS, 4).         % looks without a change until a step is over
-define(DEATH_MS, 10000).        % how long a death is waited for

main([File]) ->
    {ok, _} = timer:apply_after(?HALT_AFTER_MS, erlang, halt, [3]),
    {ok, Scenarios} = file:consult(File),
    in_turns(Scenarios),
    halt(0).

in_turns([]) -> ok;
in_turns(Scenarios) ->
    {Now, Later} = lists:split(min(?AT_ONCE, length(Scenarios)), Scenarios),
    Runs = [begin
                Me = self(),
                Pid = spawn_link(fun() -> Me ! {self(), play(S)} end),
                {Number, Pid}
            end || S = #{number := Number} <- Now],
    [receive {Pid, Lines} -> io:format("## ~p~n~ts", [Number, Lines]) end || {Number, Pid} <- Runs],
    in_turns(Later).

play(#{tree := Tree, steps := Steps}) ->
    process_flag(trap_exit, true),
    Scribe = spawn_link(fun() -> scribe(#{lines => [], count => 0, at => #{}, born => #{}, tries => #{}, obeying => #{}}) end),
    case begin_supervisor(Scribe, "root", Tree) of
        {ok, _} ->
            rest(Scribe),
            [begin say(Scribe, "-- ~ts", [Label]), do(Scribe, Step), rest(Scribe) end || Step = #{label := Label} <- Steps];
        {error, Why} ->
            say(Scribe, "start_error root ~ts", [why(Why)])
    end,
    rest(Scribe),
    [[Line, $\n] || Line <- lists:reverse(ask(Scribe, lines))].

%% ---- the scribe ----
scribe(World) ->
    receive
        {obeys, Pid} ->
            Obeying = maps:get(obeying, World),
            scribe(World#{obeying := Obeying#{Pid => true}});
        {From, Question} ->
            {Answer, Next} = answer(Question, World),
            From ! {self(), Answer},
            scribe(Next);
        {'DOWN', Ref, process, Pid, Why} ->
            #{born := Born, at := At, obeying := Obeying} = World,
            #{Ref := Path} = Born,
            Here = case At of #{Path := Pid} -> maps:remove(Path, At); _ -> At end,
            Left = World#{born := maps:remove(Ref, Born), at := Here, obeying := maps:remove(Pid, Obeying)},
            scribe(write(Left, ["stopped ", Path, " ", reason(Why)]));
        {'EXIT', _, _} ->
            scribe(World)
    end.

answer({say, Line}, World) -> {ok, write(World, Line)};
answer({born, Path, Pid, Line}, World = #{born := Born, at := At}) ->
    Ref = monitor(process, Pid),
    {ok, write(World#{born := Born#{Ref => Path}, at := At#{Path => Pid}}, Line)};
answer({try_number, Path}, World = #{tries := Tries}) ->
    Number = maps:get(Path, Tries, 0) + 1,
    {Number, World#{tries := Tries#{Path => Number}}};
answer({where, Path}, World = #{at := At}) -> {maps:get(Path, At, nobody), World};
answer(lines, World = #{lines := Lines}) -> {Lines, World};
answer(look, World = #{count := Count, obeying := Obeying, at := At}) ->
    Living = [Pid || Pid <- maps:keys(Obeying), is_process_alive(Pid)],
    {{Count, length(Living), maps:values(At)}, World}.

write(World = #{lines := Lines, count := Count}, Line) -> World#{lines := [Line | Lines], count := Count + 1}.

ask(Scribe, Question) -> Scribe ! {self(), Question}, receive {Scribe, Answer} -> Answer end.
say(Scribe, Format, Arguments) -> ask(Scribe, {say, io_lib:format(Format, Arguments)}).

%% A step is over when nothing was written, nobody is on the way out, and everybody waits for a
%% message that nobody has sent: several times in a row.
rest(Scribe) -> rest(Scribe, ask(Scribe, look), 0).
rest(_, _, ?CALM_ROUNDS) -> ok;
rest(Scribe, Before, Calm) ->
    timer:sleep(1),
    case ask(Scribe, look) of
        Before = {_, 0, Living} ->
            case lists:all(fun idle/1, Living) of
                true -> rest(Scribe, Before, Calm + 1);
                false -> rest(Scribe, Before, 0)
            end;
        Now -> rest(Scribe, Now, 0)
    end.

idle(Pid) ->
    case process_info(Pid, [status, message_queue_len]) of
        [{status, waiting}, {message_queue_len, 0}] -> true;
        undefined -> true;
        _ -> false
    end.

%% ---- supervisors and workers ----
begin_supervisor(Scribe, Path, Spec) -> supervisor:start_link(?MODULE, {Scribe, Path, Spec}).

init({Scribe, Path, Spec}) ->
    ask(Scribe, {born, Path, self(), ["starting ", Path]}),
    Flags = maps:with([strategy, intensity, period, auto_shutdown], Spec),
    {ok, {Flags, [child_spec(Scribe, Path, Child) || Child <- maps:get(children, Spec, [])]}}.

child_spec(Scribe, Parent, Child = #{id := Id}) ->
    Path = Parent ++ "/" ++ Id,
    Start = case Child of
                #{template := true} -> {?MODULE, begin_instance, [Scribe, Parent, Child]};
                #{type := supervisor} -> {?MODULE, begin_supervisor, [Scribe, Path, Child]};
                _ -> {?MODULE, begin_worker, [Scribe, Path, Child]}
            end,
    maps:merge(maps:with([id, type, restart, shutdown, significant], Child), #{start => Start}).

begin_instance(Scribe, Parent, Child, Name) -> begin_worker(Scribe, Parent ++ "/" ++ Name, Child).

begin_worker(Scribe, Path, Child) ->
    Try = ask(Scribe, {try_number, Path}),
    Listed = fun(Key) -> lists:member(Try, maps:get(Key, Child, [])) end,
    case {Listed(fail_starts), Listed(ignore_starts)} of
        {true, _} -> say(Scribe, "start_failed ~ts", [Path]), {error, boom};
        {_, true} -> say(Scribe, "start_ignored ~ts", [Path]), ignore;
        {false, false} ->
            Boss = self(),
            Pid = spawn_link(fun() -> live(Scribe, Boss, Path, Child) end),
            receive {Pid, up} -> {ok, Pid} end
    end.

live(Scribe, Boss, Path, Child) ->
    process_flag(trap_exit, true),
    ask(Scribe, {born, Path, self(), ["started ", Path]}),
    Boss ! {self(), up},
    receive
        {'EXIT', Boss, Why} -> Scribe ! {obeys, self()}, timer:sleep(maps:get(stop_delay_ms, Child, 0)), exit(Why);
        {leave, Why} -> exit(Why)
    end.

%% ---- steps ----
do(_, #{op := wait, ms := Ms}) -> timer:sleep(Ms);
do(Scribe, #{op := stop_root}) -> at(Scribe, "root", fun(Pid) -> exit(Pid, shutdown), gone(Scribe, Pid) end);
do(Scribe, #{op := exit, path := Path, reason := kill}) -> at(Scribe, Path, fun(Pid) -> exit(Pid, kill), gone(Scribe, Pid) end);
do(Scribe, #{op := exit, path := Path, reason := Why}) -> at(Scribe, Path, fun(Pid) -> Pid ! {leave, Why}, gone(Scribe, Pid) end);
do(Scribe, Step = #{op := Op, sup := Path}) ->
    at(Scribe, Path, fun(Sup) -> say(Scribe, "result ~ts", [result(call(Op, Scribe, Sup, Step))]) end).

at(Scribe, Path, Act) ->
    case ask(Scribe, {where, Path}) of
        nobody -> say(Scribe, "result noproc", []);
        Pid -> Act(Pid)
    end.

gone(Scribe, Pid) ->
    Ref = monitor(process, Pid),
    receive {'DOWN', Ref, process, Pid, _} -> ok after ?DEATH_MS -> say(Scribe, "hung", []) end.

call(start_child, _, Sup, #{name := Name}) -> supervisor:start_child(Sup, [Name]);
call(start_child, Scribe, Sup, #{sup := Path, child := Child}) -> supervisor:start_child(Sup, child_spec(Scribe, Path, Child));
call(terminate_child, Scribe, Sup, #{dynamic := true, sup := Path, id := Id}) ->
    case ask(Scribe, {where, Path ++ "/" ++ Id}) of
        nobody -> {error, not_found};
        Pid -> supervisor:terminate_child(Sup, Pid)
    end;
call(which_children, _, Sup, _) -> {lines, supervisor:which_children(Sup)};
call(count_children, _, Sup, _) -> {numbers, supervisor:count_children(Sup)};
call(Op, _, Sup, #{id := Id}) -> supervisor:Op(Sup, Id).

%% ---- words ----
reason({shutdown, Word}) when is_atom(Word) -> ["shutdown:", atom_to_list(Word)];
reason({shutdown, {failed_to_start_child, _, _}}) -> "shutdown:failed_to_start_child";
reason(Word) when is_atom(Word) -> atom_to_list(Word);
reason(Other) -> io_lib:format("~0p", [Other]).

why({shutdown, {failed_to_start_child, Id, Why}}) -> ["failed_to_start_child:", Id, ":", why(Why)];
why(Word) when is_atom(Word) -> atom_to_list(Word);
why(_) -> "other".

result(ok) -> "ok";
result({ok, undefined}) -> "ok ignored";
result({ok, Pid}) when is_pid(Pid) -> "ok";
result({error, Word}) when is_atom(Word) -> ["error ", atom_to_list(Word)];
result({error, {Word, _}}) when is_atom(Word) -> ["error ", atom_to_list(Word)];
result({numbers, Numbers}) ->
    lists:join(" ", [io_lib:format("~p=~p", [Key, proplists:get_value(Key, Numbers)]) || Key <- [specs, active, supervisors, workers]]);
result({lines, []}) -> "none";
result({lines, Children}) ->
    lists:join(" ", lists:sort([lists:flatten(line(Child)) || Child <- Children])).

line({undefined, Pid, Type, Modules}) -> line({"-", Pid, Type, Modules});
line({Id, Pid, Type, _}) when is_pid(Pid) -> [Id, ":alive:", atom_to_list(Type)];
line({Id, restarting, Type, _}) -> [Id, ":restarting:", atom_to_list(Type)];
line({Id, undefined, Type, _}) -> [Id, ":down:", atom_to_list(Type)].
