# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Completion of `cell` for bash: eval "$(cell completion bash)". Asks git for revisions, and else only `cell` itself, which
# knows methods from the mirrors on disk and waits for no cell that hangs.

# Runs `cell` as it was typed, which need not be in PATH, in the folder of -C.
_cell_ask()
{
    "${COMP_WORDS[0]/#\~/$HOME}" "${_cell_dir[@]}" "$@" 2>/dev/null
}

# Names of the cells of cell.json and of the sockets in its run_dir.
_cell_cells()
{
    _cell_ask list | awk '{ print $1 }'
}

# Offers those of the words that begin with the current one.
_cell_offer()
{
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current")
}

_cell_paths()
{
    mapfile -t COMPREPLY < <(compgen "$1" -- "$current")
    compopt -o filenames
}

_cell_options()
{
    local options="--json --help"

    case $command in
    up) options+=" --foreground --timeout" ;;
    down) options+=" --timeout" ;;
    schema | openapi) options+=" --mirror" ;;
    inspect) options+=" --uses" ;;
    check) options+=" --against --registry" ;;
    report) options+=" --as --build --registry" ;;
    consumers) options+=" --forget --path --registry" ;;
    call) options+=" --meta --timeout --address" ;;
    lock) options+=" --check --prune" ;;
    trust) options+=" --key --folder --list --forget" ;;
    diff) options+=" --since --locked" ;;
    plan) options+=" --locked" ;;
    migrate) options+=" --locked --yes" ;;
    import) options+=" --table --rows --output" ;;
    test-db) options+=" --source --cell" ;;
    watch) options+=" --top --limit --interval --once" ;;
    history) options+=" --table --limit" ;;
    drift) options+=" --adopt --revert --ignore --lossy" ;;
    sql) options+=" --format --output --file --list --journal --timeout --stats" ;;
    dump) options+=" --output" ;;
    restore) options+=" --clean" ;;
    systemd) options+=" --user --system --output" ;;
    esac
    _cell_offer "$options"
}

_cell_call()
{
    if [[ -z $first && $current == *.* ]]; then
        _cell_offer "$(_cell_ask completion methods "${current%%.*}")"
    elif [[ -z $first ]]; then
        mapfile -t COMPREPLY < <(compgen -S . -W "$(_cell_cells)" -- "$current")
        compopt -o nospace
    elif [[ $previous == "=" && $current == @* ]]; then
        mapfile -t COMPREPLY < <(compgen -P @ -f -- "${current#@}")
    elif [[ $previous != "=" && $current != "=" ]]; then
        _cell_offer "$(_cell_ask completion arguments "$first")"
        compopt -o nospace
    fi
}

_cell()
{
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= first= i
    local commands="up down status list schema openapi inspect check report consumers call expand sync lock trust identity diff plan migrate test-db"
    commands+=" history drift pipelines sql watch psql dump restore upgrade import clangd export doctor systemd completion help"
    local -a _cell_dir=()

    # The line is split at '=' and ':' as well; only the part behind them is replaced.
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -C) _cell_dir=(-C "${COMP_WORDS[++i]}") ;;
        -H | --meta | --timeout | --address | --output | --since | --against | --registry | --as | --forget | --path | --table | --limit | --key | --folder | --top | --interval | --format | --file | --journal)
            ((i++))
            [[ ${COMP_WORDS[i]} == "=" ]] && ((i++))
            [[ ${COMP_WORDS[i+1]} == "=" ]] && ((i += 2))
            ;;
        -*) ;;
        *)
            if [[ -z $command ]]; then
                command=${COMP_WORDS[i]}
            elif [[ -z $first ]]; then
                first=${COMP_WORDS[i]}
            fi
            ;;
        esac
    done
    COMPREPLY=()
    case $previous in
    -C | --output | --registry | --folder | --journal) _cell_paths -d; return ;;
    --against | --path | --file) _cell_paths -f; return ;;
    --format) _cell_offer "table csv json jsonl parquet"; return ;;
    -H | --meta | --timeout | --address | --as | --forget | --table | --limit | --key | --top | --interval) return ;;
    --since) _cell_offer "$(git for-each-ref --format='%(refname:short)' 2>/dev/null)"; return ;;
    esac
    if [[ -z $command ]]; then
        _cell_offer "$commands -C --json --version --help"
    elif [[ $current == -* ]]; then
        _cell_options
    else
        case $command in
        up | down | status | sync | lock | diff | plan | migrate | systemd) _cell_offer "$(_cell_cells)" ;;
        schema | openapi | identity | trust | consumers | history | drift | pipelines | psql | dump | upgrade | import) [[ -n $first ]] || _cell_offer "$(_cell_cells)" ;;
        inspect | expand | check | report | restore) _cell_paths -f ;;
        completion) _cell_offer bash ;;
        export) if [[ -z $first ]]; then _cell_offer headers; else _cell_paths -d; fi ;;
        help) _cell_offer "$commands" ;;
        call) _cell_call ;;
        esac
    fi
}
complete -F _cell cell
