<?php

declare(strict_types=1);

namespace Katalys\Internal;

use Katalys\KatalysException;
use Katalys\Problem;

/**
 * A detailed answer of the library: "!" and one JSON object.
 *
 * @internal
 */
final class Outcome
{
    /** The result or exception that the answer describes. */
    public readonly object $result;

    /** @var list<Problem> warnings whose code occurs for the first time */
    public readonly array $newWarnings;

    public function __construct(#[\SensitiveParameter] string $answer)
    {
        $all = \json_decode(\substr($answer, 1), true, 8, \JSON_THROW_ON_ERROR);
        $this->result = Results::make($all['class'], $all['fields']);
        $this->newWarnings = Results::problems($all['warnings']);
    }

    /**
     * The result.
     *
     * @throws KatalysException if the answer is an error.
     */
    public function unwrap(): object
    {
        if ($this->result instanceof KatalysException) {
            throw $this->result;
        }

        return $this->result;
    }
}
